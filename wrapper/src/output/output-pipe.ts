/**
 * The pipe that a command prints into.
 *
 * It is a FIFO, because that is what a shell's pipe is to a command. Node's own `'pipe'` is a pair of sockets, which can't
 * be opened by a path: `echo x > /dev/stderr` and `tee /dev/stderr` fail on it.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';

/** Our read end of the pipe. */
export interface OutputPipe {
  /**
   * A second descriptor of the read end, in blocking mode, for another process when it is spawned; null when there is none.
   * While a process holds it open, the command gets no SIGPIPE. It is closed with the pipe.
   */
  readonly readFd: number | null;
  /** Starts reading, or changes the callback. `bytes` are valid only during the call. */
  read(onBytes: (bytes: Uint8Array) => void): void;
  pause(): void;
  resume(): void;
  /** Closes the read end: a process that writes gets SIGPIPE. */
  close(): void;
  /** Resolves at end-of-file (no process holds the write end any more), on an error, or when it is closed. Never rejects. */
  readonly ended: Promise<void>;
}

export interface CommandOutput {
  readonly stdout: OutputPipe;
  /** null when it is merged into stdout. */
  readonly stderr: OutputPipe | null;
}

/** A FIFO that has been opened and unlinked. */
export interface Fifo {
  /** The write end, in blocking mode, for the command. */
  readonly writeFd: number;
  readonly pipe: OutputPipe;
}

/** As much as a pipe holds by default. */
const READ_BYTES = 64 * 1024;

/** In memory first: a disk that hangs or is full must not delay a start. */
export const DIRECTORIES = ['/dev/shm', os.tmpdir(), '/tmp', '/var/tmp'];

export type MadeFifos =
  | { readonly kind: 'made'; readonly fifos: readonly Fifo[] }
  /** Nothing is left open. */
  | { readonly kind: 'failed'; readonly why: string };

/** Makes `count` FIFOs. It takes some milliseconds, and most of that is waiting. Never rejects. */
export async function makeFifos(count: number): Promise<MadeFifos> {
  let why = '';
  for (const directory of new Set(DIRECTORIES)) {
    try {
      return { kind: 'made', fifos: await makeFifosIn(directory, count) };
    } catch (error) {
      // No such directory, read-only, full, no mkfifo: perhaps another does.
      why ||= error instanceof Error ? error.message : String(error);
    }
  }
  return { kind: 'failed', why };
}

async function makeFifosIn(directory: string, count: number): Promise<Fifo[]> {
  const place = fs.mkdtempSync(path.join(directory, 'leash-'));
  const opened: number[] = [];
  const open = (file: string, flags: number): number => {
    const fd = fs.openSync(file, flags);
    opened.push(fd);
    return fd;
  };
  try {
    const files = Array.from({ length: count }, (_, index) => path.join(place, String(index)));
    await mkfifo(files);
    return files.map((file) => {
      const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
      // In this order no `open` waits for the other end. Each is an open file description of its own: only ours may be
      // non-blocking.
      const readFd = open(file, O_RDONLY | O_NONBLOCK);
      const writeFd = open(file, O_WRONLY);
      return { writeFd, pipe: fdPipe(readFd, open(file, O_RDONLY)) };
    });
  } catch (error) {
    for (const fd of opened) fs.closeSync(fd);
    throw error;
  } finally {
    fs.rmSync(place, { recursive: true, force: true });
  }
}

function mkfifo(files: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('mkfifo', ['-m', '600', ...files], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`mkfifo exited with ${code}`))));
  });
}

/** Reads a descriptor into one reused buffer: memory does not grow, however much passes. */
function fdPipe(fd: number, readFd: number): OutputPipe {
  let onBytes = (_bytes: Uint8Array): void => {};
  let socket: net.Socket | null = null;
  let isOpen = true;
  let markEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    markEnded = resolve;
  });
  const open = (): net.Socket => {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const made = new net.Socket({
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer,
        callback: (length: number) => {
          onBytes(buffer.subarray(0, length));
          return true;
        },
      },
    });
    made.on('error', markEnded);
    made.once('end', markEnded);
    made.once('close', markEnded);
    return made.resume();
  };
  return {
    readFd,
    read: (handle) => {
      onBytes = handle;
      if (isOpen) socket ??= open();
    },
    pause: () => socket?.pause(),
    resume: () => socket?.resume(),
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      if (socket === null) fs.closeSync(fd);
      else socket.destroy();
      fs.closeSync(readFd);
      markEnded();
    },
    ended,
  };
}

/**
 * A pipe whose read end we have from another process, which continues to hold it.
 *
 * @param fd in blocking mode, which it keeps; it is closed with the pipe
 * @throws what the file system says
 */
export function inheritedPipe(fd: number): OutputPipe {
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  // An open file description of our own: only ours may be non-blocking.
  return fdPipe(fs.openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK), fd);
}

/** A pipe that is no longer read. */
export const closedPipe: OutputPipe = {
  readFd: null,
  read: () => {},
  pause: () => {},
  resume: () => {},
  close: () => {},
  ended: Promise.resolve(),
};

/** The same over one of Node's own streams, where no FIFO could be made. */
export function streamPipe(stream: Readable): OutputPipe {
  let onBytes: ((bytes: Uint8Array) => void) | null = null;
  // At a child's exit Node discards output that has no listener. By then we may not read yet.
  const holdBack = (): void => {};
  stream.on('readable', holdBack);
  const ended = new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
    stream.on('error', () => resolve());
  });
  return {
    readFd: null,
    read: (handle) => {
      const isFirst = onBytes === null;
      onBytes = handle;
      if (!isFirst) return;
      stream.on('data', (bytes: Buffer) => onBytes?.(bytes));
      // In this order, the stream begins to flow.
      stream.off('readable', holdBack);
    },
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    close: () => stream.destroy(),
    ended,
  };
}
