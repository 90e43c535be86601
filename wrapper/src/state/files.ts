/** File operations in a state directory. */
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

/** Reads and parses a file. Never fails. */
export async function readJson<T>(file: string, read: (text: string) => Read<T>): Promise<Read<T>> {
  try {
    return read(await fs.readFile(file, 'utf8'));
  } catch {
    // ENOENT, or anything else that prevents reading it.
    return { kind: 'unreadable' };
  }
}

/**
 * Creates a directory and its parents. Node's own `recursive` loops forever where mkdir fails with ENOENT although the
 * parent exists (in /proc), and reports a read-only disk as a missing directory. Throws file system errors.
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

/** Writes a file whole or not at all. A loss of power may still lose it: see `syncPath`. Throws file system errors. */
export async function writeFileAtomically(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString('hex')}`;
  await fs.writeFile(aside, text, { flag: 'wx', mode: 0o600 });
  await fs.rename(aside, file);
}

/** Makes a file or directory survive a loss of power. Never fails: there is no remedy. */
export async function syncPath(path: string): Promise<void> {
  try {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // ENOENT: it is not needed any more. EINVAL: not supported by this file system.
  }
}

const TRANSIENT = '.transient~';

/** A path for a directory that `maker` is creating or deleting: the name contains the process. */
export function transientPath(parent: string, maker: ProcessRef): string {
  return path.join(parent, `${TRANSIENT}${randomBytes(6).toString('hex')}~${formatProcessRef(maker)}`);
}

/** The process in such a name; null when the name isn't one. */
export function parseTransientName(name: string): ProcessRef | null {
  if (!name.startsWith(TRANSIENT)) return null;
  const rest = name.slice(TRANSIENT.length);
  return parseProcessRef(rest.slice(rest.indexOf('~') + 1));
}

/** Deletes a directory under another name, so that it never exists in part. Throws file system errors. */
export async function deleteAtomically(directory: string, maker: ProcessRef): Promise<void> {
  const aside = transientPath(path.dirname(directory), maker);
  await fs.rename(directory, aside);
  await fs.rm(aside, { recursive: true, force: true });
}

/** Null when `work` was done in time, else the reason why it wasn't. */
export function failureWithin(timeLimitMs: number, work: Promise<void>): Promise<string | null> {
  const done = work.then(() => null, describeError);
  return withTimeout(done, timeLimitMs, { fallback: `the disk took longer than ${timeLimitMs} ms` });
}
