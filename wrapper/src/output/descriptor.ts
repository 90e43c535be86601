/**
 * Writing to our own stdout and stderr without ever waiting for whoever reads them.
 *
 * A plain asynchronous `fs.write` on a pipe that nobody reads blocks a thread of the pool for ever, and `process.exit`
 * then waits for that thread. So pipes and terminals are opened a second time, non-blocking; that leaves the
 * description we share with others as it is.
 */
import fs from 'node:fs';
import net from 'node:net';

export type Written =
  | { readonly kind: 'written'; readonly bytes: number }
  /** Nobody has read what is there: try again in a while. */
  | { readonly kind: 'full' }
  /** `readerGone`: as after `| head`; else something is wrong, such as a full disk. */
  | { readonly kind: 'broken'; readonly readerGone: boolean; readonly why: string };

/** Writes some of `bytes`; the answer comes later, or never when the reader has stopped reading. */
export type Writer = (bytes: Uint8Array, done: (result: Written) => void) => void;

/** A writer for one of our own descriptors, 1 or 2. */
export function openWriter(fd: number): Writer {
  try {
    const kind = fs.fstatSync(fd);
    if (kind.isSocket()) return socketWriter(fd);
    if (kind.isFIFO()) return fileWriter(openAgain(fd)) ?? socketWriter(fd);
    if (kind.isCharacterDevice()) return fileWriter(openAgain(fd) ?? fd) ?? nowhere;
    return fileWriter(fd) ?? nowhere;
  } catch {
    // The descriptor is closed (`>&-`) or of a kind that can't be written: there is nobody to write for.
    return nowhere;
  }
}

const nowhere: Writer = (bytes, done) => setImmediate(() => done({ kind: 'written', bytes: bytes.length }));

/** @returns null where that can't be done: not on Linux, or the pipe belongs to another user */
function openAgain(fd: number): number | null {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
    return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return null;
  }
}

function fileWriter(fd: number | null): Writer | null {
  if (fd === null) return null;
  return (bytes, done) => {
    fs.write(fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error === null) done({ kind: 'written', bytes: written });
      else if (error.code === 'EAGAIN') done({ kind: 'full' });
      else done(broken(error));
    });
  };
}

function socketWriter(fd: number): Writer {
  const socket = new net.Socket({ fd, readable: false, writable: true });
  // Each write is told of an error by its callback; without a listener the event would end the process.
  socket.on('error', () => {});
  return (bytes, done) => {
    socket.write(bytes, (error) => {
      if (error === null || error === undefined) done({ kind: 'written', bytes: bytes.length });
      else done(broken(error));
    });
  };
}

function broken(error: NodeJS.ErrnoException): Written {
  return { kind: 'broken', readerGone: error.code === 'EPIPE' || error.code === 'ECONNRESET', why: error.message };
}
