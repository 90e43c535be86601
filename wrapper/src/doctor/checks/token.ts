/** The token: who can read it, and what it may do. */
import fs from 'node:fs';
import { formatDuration } from '#shared/format-duration';
import { withTimeout } from '#shared/with-timeout';
import type { TokenSource } from '../../config/control-plane.ts';
import { readTokenFile } from '../../config/token-file.ts';
import { describeError } from '../../logging/log.ts';
import { type Finding, note, ok, problem, warning } from '../finding.ts';
import { octal } from './settings.ts';

const READ_LIMIT_MS = 5_000;

export type TokenFacts =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly text: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly why: string };

/** Never rejects. */
export async function readToken(source: TokenSource): Promise<TokenFacts> {
  if (source.kind === 'value') return { kind: 'value', text: source.token };
  const { path } = source;
  try {
    const text = await withTimeout(readTokenFile(path), READ_LIMIT_MS, { what: 'the file' });
    return { kind: 'file', path, mode: fs.statSync(path).mode, text };
  } catch (error) {
    // Whatever a file system may say, or nothing for too long.
    return { kind: 'unreadable', path, why: describeError(error) };
  }
}

/** Whether an HTTP header can hold it. */
export function isSendable(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** As the control plane makes them: a prefix, 43 random characters, and 6 of a checksum. */
const GENERATED = /^leash_[0-9A-Za-z]{49}$/;

export function judgeToken(token: TokenFacts): Finding[] {
  if (token.kind === 'unreadable') {
    return [
      problem(
        'token.file',
        `${token.path} can’t be read: ${token.why}`,
        `Write the token into it, readable for the users who run jobs: chgrp GROUP ${token.path} && chmod 640 ${token.path}`,
      ),
    ];
  }
  return [...sourceFindings(token), ...textFindings(token.text)];
}

function sourceFindings(token: Exclude<TokenFacts, { kind: 'unreadable' }>): Finding[] {
  // What is wrong with a settings file that holds the token is said of that file.
  if (token.kind === 'value') return [ok('token.file', 'in LEASH_TOKEN')];
  const { path, mode } = token;
  const isOpen = (mode & 0o007) !== 0;
  return isOpen
    ? [
        problem(
          'token.file',
          `every user of this machine can read ${path} (mode ${octal(mode)})`,
          `Run chmod 600 ${path} (or 640, with a group of the users who run jobs), and replace the token: others may have it.`,
        ),
      ]
    : [ok('token.file', `${path}, mode ${octal(mode)}`)];
}

function textFindings(text: string): Finding[] {
  if (text === '') return [problem('token.text', 'it is empty', 'Create a token for this machine and write it there.')];
  if (!isSendable(text)) {
    return [
      problem(
        'token.text',
        'it contains spaces, line breaks or other invalid characters',
        'Write the token alone into it, on one line.',
      ),
    ];
  }
  if (GENERATED.test(text)) return [];
  return [
    note(
      'token.text',
      'it doesn’t look like a token of a control plane (leash_…): it is an admin’s own secret, or truncated',
    ),
  ];
}

/** What the control plane says about the caller. */
export interface Rights {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Globs; null when the control plane is too old to say. */
  readonly jobs: string;
  readonly machines: string | null;
  readonly expiresAtMs: number | null;
}

export type RightsAnswer =
  | { readonly kind: 'known'; readonly rights: Rights }
  /** 401, with what the control plane says. */
  | { readonly kind: 'rejected'; readonly detail: string }
  /** 403 for the test run: what it may do otherwise is not known. */
  | { readonly kind: 'no_run'; readonly detail: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** Sooner than that, somebody should know. */
const EXPIRES_SOON_MS = 14 * 86_400_000;

export function judgeRights(answer: RightsAnswer, nowMs: number): Finding[] {
  switch (answer.kind) {
    case 'unknown':
      return [note('rights.scopes', `not asked what it may do: ${answer.why}`)];
    case 'rejected':
      return [
        problem(
          'rights.scopes',
          `the control plane does not accept it: ${answer.detail}`,
          'Create a token with the scope run, limited to this machine, and write it into the token file.',
        ),
      ];
    case 'no_run':
      return [
        problem(
          'rights.scopes',
          answer.detail,
          'Create a token with the scope run for this machine and its jobs (and name a job of it: leash doctor --job NAME).',
        ),
      ];
    case 'known':
      return [...scopeFindings(answer.rights), ...expiryFindings(answer.rights, nowMs)];
  }
}

function scopeFindings({ name, scopes, jobs, machines }: Rights): Finding[] {
  const where = machines === null || machines === '*' ? '' : ` on machines ${machines}`;
  const what = `token “${name}” may ${scopes.join(', ')} for ${jobs === '*' ? 'all jobs' : `jobs ${jobs}`}${where}`;
  const more = scopes.filter((scope) => scope !== 'run');
  if (!scopes.includes('run') && !scopes.includes('admin')) {
    return [
      problem(
        'rights.scopes',
        `${what}, but not run: no run can connect`,
        'Create a token with the scope run for this machine.',
      ),
    ];
  }
  if (more.length > 0) {
    return [
      warning(
        'rights.scopes',
        `${what}. Whoever takes over this machine can do that, too`,
        'Create a token with the scope run alone, limited to this machine.',
      ),
    ];
  }
  return [ok('rights.scopes', what)];
}

function expiryFindings({ expiresAtMs }: Rights, nowMs: number): Finding[] {
  if (expiresAtMs === null) return [];
  const leftMs = expiresAtMs - nowMs;
  const what = `it expires in ${formatDuration(leftMs)}, at ${new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z')}`;
  return leftMs > EXPIRES_SOON_MS
    ? [ok('rights.expiry', what)]
    : [
        warning(
          'rights.expiry',
          `${what}: then no new run connects`,
          'Create its successor, and replace the token file.',
        ),
      ];
}
