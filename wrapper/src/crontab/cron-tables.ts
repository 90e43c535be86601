/** Where crontabs are on this machine, read and written. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { hasCode } from '../host/error-code.ts';
import { describeError } from '../logging/log.ts';
import { replaceFile } from '../state/replace-file.ts';
import type { CrontabFormat } from './crontab-entry.ts';

export type CrontabSource =
  /** By the program `crontab`; null is the user who runs us. */
  | { readonly kind: 'user'; readonly user: string | null }
  | { readonly kind: 'file'; readonly path: string; readonly format: CrontabFormat }
  | { readonly kind: 'stdin'; readonly format: CrontabFormat };

export type ReadCrontab =
  /** Latin-1: one character a byte. */
  | { readonly kind: 'read'; readonly text: string }
  /** This user has none. */
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly why: string };

export function describeSource(source: CrontabSource): string {
  switch (source.kind) {
    case 'user':
      return source.user === null ? 'crontab' : `crontab of ${source.user}`;
    case 'file':
      return source.path;
    case 'stdin':
      return 'stdin';
  }
}

export function formatOf(source: CrontabSource): CrontabFormat {
  return source.kind === 'user' ? 'user' : source.format;
}

export function readCrontab(source: CrontabSource): ReadCrontab {
  try {
    switch (source.kind) {
      case 'user':
        return listUserCrontab(source.user);
      case 'file':
        return { kind: 'read', text: fs.readFileSync(source.path, 'latin1') };
      case 'stdin':
        return { kind: 'read', text: fs.readFileSync(0, 'latin1') };
    }
  } catch (error) {
    // ENOENT, EACCES, EISDIR.
    return { kind: 'failed', why: describeError(error) };
  }
}

/**
 * Replaces a crontab. A file is replaced at once, by one of the same owner and mode: cron never sees half of it.
 *
 * @param before what it was planned from: when that isn't there any more, nothing is written
 * @returns why it could not be written, or null
 */
export async function writeCrontab(source: CrontabSource, before: string, after: string): Promise<string | null> {
  const now = readCrontab(source);
  if (now.kind === 'failed') return now.why;
  if (now.kind === 'none' || now.text !== before) return 'it was changed meanwhile; run this again';
  switch (source.kind) {
    case 'user':
      return installUserCrontab(source.user, after);
    case 'file':
      return rewrite(source.path, after);
    case 'stdin':
      return 'stdin cannot be written';
  }
}

async function rewrite(file: string, text: string): Promise<string | null> {
  try {
    await replaceFile(file, Buffer.from(text, 'latin1'));
    return null;
  } catch (error) {
    // EACCES, EROFS, ENOSPC; EPERM for a file of another user.
    return describeError(error);
  }
}

/** How long it may take, where a directory service knows the users. */
const CRONTAB_MS = 30_000;

/** With this, the messages of `crontab` are those that we know. */
const PLAIN_MESSAGES = { LC_ALL: 'C', LANGUAGE: '' };

function runCrontab(user: string | null, args: readonly string[], input: string) {
  const ofUser = user === null ? [] : ['-u', user];
  const options = {
    input: Buffer.from(input, 'latin1'),
    encoding: 'latin1',
    env: { ...process.env, ...PLAIN_MESSAGES },
    maxBuffer: 2 ** 26,
    timeout: CRONTAB_MS,
  } as const;
  return spawnSync('crontab', [...ofUser, ...args], options);
}

function listUserCrontab(user: string | null): ReadCrontab {
  const { error, status, stdout, stderr } = runCrontab(user, ['-l'], '');
  if (error !== undefined) return { kind: 'failed', why: whyNoProgram(error) };
  if (status === 0) return { kind: 'read', text: stdout };
  if (/^(crontab: )?(no crontab for|can't open ')/m.test(stderr)) return { kind: 'none' };
  return { kind: 'failed', why: `crontab -l failed: ${firstLine(stderr)}` };
}

function installUserCrontab(user: string | null, text: string): string | null {
  const { error, status, stderr } = runCrontab(user, ['-'], text);
  if (error !== undefined) return whyNoProgram(error);
  if (status !== 0) return `crontab refused it: ${firstLine(stderr)}`;
  const now = listUserCrontab(user);
  if (now.kind === 'read' && now.text === text) return null;
  return 'it was installed, but crontab -l does not show what was installed; compare it with the backup';
}

function whyNoProgram(error: Error): string {
  if (hasCode(error, 'ENOENT')) return 'the program crontab was not found: install cron, or name a file';
  return `could not run crontab: ${describeError(error)}`;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] || 'it gave no reason';
}
