/** Who sits before the page. */

import { signal } from '@preact/signals';
import type { Session } from '#protocol/api';
import { signOut as deleteSession, fetchSession, signIn as postSession } from '../api/calls.ts';
import type { Failure } from '../api/failure.ts';
import { isSignedOut } from '../api/failure.ts';

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
  session.value = { kind: 'signed_in', session: answer.value };
  return null;
}

export async function signOut(): Promise<Failure | null> {
  const answer = await deleteSession();
  if (!answer.ok && !isSignedOut(answer.failure)) return answer.failure;
  session.value = { kind: 'signed_out', notice: null };
  return null;
}

/** The control plane no longer knows us. */
export function sessionEnded(): void {
  if (session.value.kind !== 'signed_in') return;
  session.value = {
    kind: 'signed_out',
    notice:
      'Your session has ended: its time was up, it was signed out elsewhere, or its token was deleted or given a new secret. Sign in again to go on.',
  };
}

/** A socket was refused, which may mean that the session is over: asking tells. */
export function doubtSession(): void {
  if (session.value.kind === 'signed_in') void fetchSession();
}
