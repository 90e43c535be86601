/** What is filled in for a new token, and what becomes of it. Pure. */
import * as v from 'valibot';
import { isForWrappersOnly, type Scope } from '#protocol/api';
import { NewToken } from '#protocol/new-token';
import type { Problems, ReadForm } from '../../hooks/use-form.ts';

export type Expiry =
  | { readonly kind: 'never' }
  | { readonly kind: 'days'; readonly days: number }
  /** The end of this day where the reader is, as `2026-03-01`. */
  | { readonly kind: 'date'; readonly date: string };

export interface TokenForm {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly jobs: string;
  readonly machines: string;
  readonly expiry: Expiry;
}

export const EMPTY_FORM: TokenForm = {
  name: '',
  scopes: [],
  jobs: '*',
  machines: '*',
  expiry: { kind: 'never' },
};

export type FormField = 'name' | 'scopes' | 'jobs' | 'machines' | 'expiry';

/** Machines limit where runs are started from: of no meaning to a token that may do anything else. */
export function mayNameMachines({ scopes }: Pick<TokenForm, 'scopes'>): boolean {
  return isForWrappersOnly(scopes);
}

export function readForm(form: TokenForm, now: number): ReadForm<NewToken, FormField> {
  const expiresAt = expiryTime(form.expiry, now);
  const problems: Problems<FormField> = {};
  if (form.name.trim() === '') problems.name = 'Enter a name, e.g. “web machines”.';
  if (form.scopes.length === 0) problems.scopes = 'Select at least one scope.';
  if (Number.isNaN(expiresAt)) problems.expiry = 'Choose a date.';
  else if (expiresAt !== null && expiresAt <= now) problems.expiry = 'That date is in the past.';
  const parsed = v.safeParse(NewToken, {
    name: form.name.trim(),
    scopes: form.scopes,
    jobs: form.jobs.trim() || '*',
    machines: mayNameMachines(form) ? form.machines.trim() || '*' : '*',
    expires_at: expiresAt === null || Number.isNaN(expiresAt) ? null : new Date(expiresAt).toISOString(),
  });
  for (const issue of parsed.issues ?? []) {
    problems[fieldOf(issue.path?.[0]?.key)] ??= sentence(issue.message);
  }
  return parsed.success && Object.keys(problems).length === 0
    ? { ok: true, value: parsed.output }
    : { ok: false, problems };
}

/** Where what is wrong is shown: whatever it is, it is shown. */
function fieldOf(key: unknown): FormField {
  switch (key) {
    case 'scopes':
    case 'jobs':
    case 'machines':
      return key;
    case 'expires_at':
      return 'expiry';
    default:
      return 'name';
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Milliseconds since 1970, null for never, NaN for no day. */
function expiryTime(expiry: Expiry, now: number): number | null {
  switch (expiry.kind) {
    case 'never':
      return null;
    case 'days':
      return now + expiry.days * DAY_MS;
    case 'date':
      return Date.parse(`${expiry.date}T23:59:59`);
  }
}

function sentence(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
