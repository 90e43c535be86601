/**
 * Writes to our own stdout and stderr without ever waiting for their readers.
 *
 * An asynchronous `fs.write` on a pipe without a reader blocks a thread of the pool permanently, and `process.exit` then
 * waits for that thread. So pipes and terminals are opened a second time, non-blocking; the open file description that we
 * share with others does not change.
 */
import fs from 'node:fs';
import net from 'node:net';
import tty from 'node:tty';

export type Written =
  | { readonly kind: 'written'; readonly bytes: number }
  /** The reader is behind: try again later. */
  | { readonly kind: 'full' }
  /** `readerGone`: as after `| head`; otherwise an error, such as a full disk. */
  | { readonly kind: 'broken'; readonly readerGone: boolean; readonly why: string };

/** Where output is written to. */
export interface Writer {
  /** Writes what can be written at once; null where that could block: in a file on a disk that hangs. */
  readonly writeNow: ((bytes: Uint8Array) => Written) | null;
  /** Writes some of `bytes`; calls `done` later, or never when the reader has stopped reading. */
  write(bytes: Uint8Array, done: (result: Written) => void): void;
  readonly isTerminal: boolean;
}

/** A writer for one of our own descriptors, 1 or 2. */
export function openWriter(fd: number): Writer {
  try {
    const kind = fs.fstatSync(fd);
    if (kind.isSocket()) return socketWriter(fd);
    if (kind.isFIFO()) return socketWriter(openAgain(fd) ?? fd);
    if (kind.isCharacterDevice()) return deviceWriter(fd);
    return fileWriter(fd);
  } catch {
    // The descriptor is closed (`>&-`) or not writable.
    return nowhere;
  }
}

export const nowhere: Writer = {
  writeNow: (bytes) => ({ kind: 'written', bytes: bytes.length }),
  write: (bytes, done) => setImmediate(() => done({ kind: 'written', bytes: bytes.length })),
  isTerminal: false,
};

/** @returns null where that can't be done: not on Linux, or the pipe belongs to another user */
function openAgain(fd: number): number | null {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
    return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // ENOENT: no /proc. EACCES: it belongs to another user.
    return null;
  }
}

/** A terminal, /dev/null and the like. */
function deviceWriter(fd: number): Writer {
  const isTerminal = tty.isatty(fd);
  const own = openAgain(fd);
  const { write } = fileWriter(own ?? fd);
  return { writeNow: own === null ? null : (bytes) => writeAtOnce(own, bytes), write, isTerminal };
}

function fileWriter(fd: number): Writer {
  return {
    writeNow: null,
    write: (bytes, done) => {
      fs.write(fd, bytes, 0, bytes.length, null, (error, written) => {
        done(error === null ? { kind: 'written', bytes: written } : failure(error));
      });
    },
    isTerminal: false,
  };
}

/** A pipe or socket. The event loop notices when it is writable, and makes the descriptor non-blocking. */
function socketWriter(fd: number): Writer {
  const socket = new net.Socket({ fd, readable: false, writable: true });
  // The callback of each write gets the error; an `error` event without a listener would end the process.
  socket.on('error', () => {});
  return {
    writeNow: (bytes) => writeAtOnce(fd, bytes),
    write: (bytes, done) => {
      socket.write(bytes, (error) => {
        done(error === null || error === undefined ? { kind: 'written', bytes: bytes.length } : failure(error));
      });
    },
    isTerminal: false,
  };
}

function writeAtOnce(fd: number, bytes: Uint8Array): Written {
  try {
    return { kind: 'written', bytes: fs.writeSync(fd, bytes, 0, bytes.length) };
  } catch (error) {
    return failure(error instanceof Error ? error : new Error(String(error)));
  }
}

function failure(error: NodeJS.ErrnoException): Written {
  if (error.code === 'EAGAIN') return { kind: 'full' };
  return { kind: 'broken', readerGone: error.code === 'EPIPE' || error.code === 'ECONNRESET', why: error.message };
}
