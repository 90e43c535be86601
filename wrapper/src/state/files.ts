/** The few things that are done to files in a state directory. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { withTimeout } from '#shared/with-timeout';
import { hasCode } from '../host/error-code.ts';
import { describeError } from '../logging/log.ts';
import type { ProcessRef } from '../processes/process-ref.ts';
import { formatProcessRef, parseProcessRef } from '../processes/process-ref.ts';
import type { Read } from './run-file.ts';

/** The names in a directory; none when it can't be read. */
export async function listNames(directory: string): Promise<string[]> {
  return fs.readdir(directory).catch(() => []);
}

/** What a file says by `read`. Never fails. */
export async function readJson<T>(file: string, read: (text: string) => Read<T>): Promise<Read<T>> {
  try {
    return read(await fs.readFile(file, 'utf8'));
  } catch {
    // ENOENT and all else that keeps it from being read.
    return { kind: 'unreadable' };
  }
}

/**
 * Makes a directory, and those above it. Node's own `recursive` goes round for ever where mkdir says ENOENT although the
 * parent is there (in /proc), and tells of a read-only disk as of a missing directory. Throws what the file system says.
 */
export async function makeDirectory(directory: string): Promise<void> {
  const parent = path.dirname(directory);
  try {
    await mkdirIfMissing(directory);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || parent === directory) throw error;
    await makeDirectory(parent);
    await mkdirIfMissing(directory);
  }
}

async function mkdirIfMissing(directory: string): Promise<void> {
  try {
    await fs.mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST') || !(await fs.stat(directory)).isDirectory()) throw error;
  }
}

/** Puts a file in place whole. A loss of power may still take it: see `syncPath`. Throws what the file system says. */
export async function writeFileAtomically(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  await fs.writeFile(aside, text, { flag: 'wx', mode: 0o600 });
  await fs.rename(aside, file);
}

/** Asks the disk to keep a file or directory as it is. Never fails: where that can't be done, nothing can be done. */
export async function syncPath(path: string): Promise<void> {
  try {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // ENOENT: it is not needed any more. EINVAL: not on this file system.
  }
}

const TRANSIENT = '.transient~';

/** A name for a directory that is being made or deleted: it tells whose work that is. */
export function transientPath(parent: string, maker: ProcessRef): string {
  return path.join(parent, `${TRANSIENT}${randomBytes(6).toString('hex')}~${formatProcessRef(maker)}`);
}

/** Whose work a directory of that name is; null when it is not such a name. */
export function parseTransientName(name: string): ProcessRef | null {
  if (!name.startsWith(TRANSIENT)) return null;
  const rest = name.slice(TRANSIENT.length);
  return parseProcessRef(rest.slice(rest.indexOf('~') + 1));
}

/** Deletes a directory, under another name first: nobody ever finds a half of it. Throws what the file system says. */
export async function deleteAtomically(directory: string, maker: ProcessRef): Promise<void> {
  const aside = transientPath(path.dirname(directory), maker);
  await fs.rename(directory, aside);
  await fs.rm(aside, { recursive: true, force: true });
}

/** Null when `work` has been done in time, else why not. */
export function failureWithin(timeLimitMs: number, work: Promise<void>): Promise<string | null> {
  const done = work.then(() => null, describeError);
  return withTimeout(done, timeLimitMs, { fallback: `the disk took longer than ${timeLimitMs} ms` });
}
