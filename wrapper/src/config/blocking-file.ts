/**
 * Reads a file that may block, such as a FIFO without a writer, or a file on a network file system that hangs.
 *
 * A read that hangs occupies one of the four threads of Node's pool until the file system answers, and can't be aborted. So
 * each file is read once at a time, and all callers share the read in progress.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '#protocol/limits';
import { hasCode } from '../host/error-code.ts';
import { pathOwners } from '../host/path-owners.ts';

const MAX_BYTES = 16 * MIB;
const CHUNK_BYTES = 64 * 1024;
const LOOK_EVERY_MS = 50;
/** How long a FIFO may take before the first byte, and between two. */
const FIFO_LIMIT_MS = 10_000;
/** The same for one whose content is known: another process may write to it again. */
const KNOWN_FIFO_LIMIT_MS = 1_000;

const reading = new Map<string, Promise<string>>();
/** By path: what was read from FIFOs, which can be read only once. */
const fromFifos = new Map<string, string>();

/**
 * The text of a file. A file that can't be read now may be readable later: try again. This may never resolve: limit your
 * wait.
 *
 * @throws what the file system says
 */
export function readBlockingFile(path: string): Promise<string> {
  const known = reading.get(path);
  if (known !== undefined) return known;
  const text = readText(path).finally(() => reading.delete(path));
  reading.set(path, text);
  return text;
}

async function readText(path: string): Promise<string> {
  const why = await whyNotRoots(path);
  if (why !== null) throw new Error(why);
  // Without O_NONBLOCK, opening a FIFO without a writer blocks.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const isFifo = (await file.stat()).isFIFO();
    return isFifo ? await readFifo(file, path) : await readAll(() => readSome(file));
  } finally {
    await file.close();
  }
}

/**
 * Another user who could replace a token or an authority of root's could have root's runs reported to them. (Users other
 * than root may share such a file on purpose.)
 */
async function whyNotRoots(path: string): Promise<string | null> {
  if (process.getuid?.() !== 0) return null;
  const owners = await pathOwners(resolve(path));
  return owners.kind === 'shared' ? `${owners.why} (root only reads files that no other user can replace)` : null;
}

async function readFifo(file: FileHandle, path: string): Promise<string> {
  const known = fromFifos.get(path);
  const limitMs = known === undefined ? FIFO_LIMIT_MS : KNOWN_FIFO_LIMIT_MS;
  let hasBegun = false;
  const text = await readAll(async () => {
    for (const since = performance.now(); performance.now() - since < limitMs; await sleep(LOOK_EVERY_MS)) {
      const bytes = await readSome(file);
      // No bytes mean the end, or that no process has opened it for writing yet.
      if (bytes !== null && (bytes.length > 0 || hasBegun)) {
        hasBegun = true;
        return bytes;
      }
    }
    if (known === undefined) throw new Error(`no data was written to the FIFO within ${limitMs / 1_000} s`);
    return Buffer.alloc(0);
  });
  const result = hasBegun ? text : (known ?? text);
  fromFifos.set(path, result);
  return result;
}

/** @param next more of it; no bytes at its end */
async function readAll(next: () => Promise<Uint8Array | null>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const bytes = await next();
    if (bytes === null) throw new Error('it has no data yet');
    if (bytes.length === 0) return Buffer.concat(chunks).toString();
    chunks.push(bytes);
    size += bytes.length;
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / MIB} MiB`);
  }
}

/** @returns null when nothing is there yet; no bytes at the end */
async function readSome(file: FileHandle): Promise<Uint8Array | null> {
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return null;
    throw error;
  }
}
