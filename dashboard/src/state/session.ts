/** Who sits before the page. */

import { signal } from '@preact/signals';
import type { Session } from '#protocol/api';
import { signOut as deleteSession, fetchSession, signIn as postSession } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { isSignedOut } from '../api/failure.ts';
import { disownCalls } from '../api/http.ts';
import { notifyOtherTabs } from './other-tabs.ts';

export type SessionState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'unknown'; readonly failure: Failure }
  | { readonly kind: 'signed_out'; readonly notice: string | null }
  | { readonly kind: 'signed_in'; readonly session: Session };

export const session = signal<SessionState>({ kind: 'asking' });

export async function loadSession(): Promise<void> {
  const answer = await fetchSession();
  if (answer.ok) session.value = { kind: 'signed_in', session: answer.value };
  else if (isSignedOut(answer.failure)) session.value = { kind: 'signed_out', notice: null };
  else session.value = { kind: 'unknown', failure: answer.failure };
}

/** Says why it did not work, or null when it did. */
export async function signIn(token: string): Promise<Failure | null> {
  const answer = await postSession(token);
  if (!answer.ok) return answer.failure;
  if (session.value.kind === 'signed_in') startOver();
  else session.value = { kind: 'signed_in', session: answer.value };
  notifyOtherTabs();
  return null;
}

export async function signOut(): Promise<Failure | null> {
  const answer = await deleteSession();
  if (!answer.ok && !isSignedOut(answer.failure)) return answer.failure;
  leave(null);
  notifyOtherTabs();
  return null;
}

/** The control plane no longer knows us. */
export function sessionEnded(): void {
  if (session.value.kind !== 'signed_in') return;
  leave('You’ve been signed out: the session expired, was ended elsewhere, or its token was revoked. Sign in again.');
}

/** A socket was refused, or another tab has signed in or out: the session is fetched again. */
export async function recheckSession(): Promise<void> {
  const before = session.value;
  if (before.kind === 'signed_out') return loadSession();
  if (before.kind !== 'signed_in') return;
  const answer = await fetchSession();
  if (answer.ok && session.value === before && !isSame(before.session, answer.value)) startOver();
}

/** Nobody is signed in here from now on. */
export function leave(notice: string | null): void {
  disownCalls();
  session.value = { kind: 'signed_out', notice };
}

/** Somebody else sits here now: nothing of what the page knows, and no socket, was opened with their rights. */
function startOver(): void {
  location.reload();
}

function isSame(a: Session, b: Session): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
