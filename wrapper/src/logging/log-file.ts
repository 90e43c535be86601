/** A log file: shared with other runs, rotated by others, on a disk that may be full. */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { hasCode } from '../host/error-code.ts';

/** How often to check whether the file has been moved away. */
const RECHECK_MS = 1_000;
/** Lines that wait for a slow disk; more are dropped. */
const MAX_WAITING = 1_000;
/** How long the exit may wait for a slow disk. */
const DRAIN_MS = 1_000;

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = fs.constants;
// Non-blocking for other kinds of file: opening a FIFO without a reader then fails, instead of blocking permanently.
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
/** Inode numbers may be larger than a number holds exactly. */
const BIG = { bigint: true } as const;

// Bare descriptors: Node prints warnings when an open FileHandle is garbage-collected.
const open = promisify(fs.open);
const write = promisify(fs.write);
const close = promisify(fs.close);
const stat = promisify(fs.stat);
const fstat = promisify(fs.fstat);

/** As in syslog: `warn` writes `notice`. */
export type Level = 'notice' | 'info';

/**
 * Appends each line with a write of its own, in order, without ever making the caller wait. A line that can't be written
 * is dropped, and the next one tried again.
 */
export class LogFile {
  readonly #path: string;
  readonly #label: string;
  readonly #onFailure: (error: unknown) => void;
  #fd: number | null = null;
  #checkedAt = 0;
  #waiting: string[] = [];
  #dropped = 0;
  #hasFailed = false;
  /** The last line was cut off by a full disk. */
  #isTorn = false;
  #appending: Promise<void> | null = null;

  /**
   * @param path is created, for its owner alone, when it is missing; its directory is not
   * @param label whose lines these are
   * @param onFailure is called once at most
   */
  constructor(path: string, label: string, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#label = label;
    this.#onFailure = onFailure;
  }

  /** @param text of one line, without its end */
  append(level: Level, text: string): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(this.#line(level, text));
    else this.#dropped += 1;
    this.#appending ??= this.#appendAll();
  }

  /** Resolves when every line is written or dropped, and soon in any case. Never rejects. */
  async drained(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MS);
    });
    await Promise.race([this.#appending, longEnough]);
    clearTimeout(timer);
  }

  async #appendAll(): Promise<void> {
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      try {
        await this.#write(line);
      } catch (error) {
        // No such directory, no right to write, a full disk, …: none of it may affect the command.
        if (!this.#hasFailed) this.#onFailure(error);
        this.#hasFailed = true;
      }
    }
    this.#appending = null;
  }

  #next(): string | undefined {
    const line = this.#waiting.shift();
    if (line !== undefined || this.#dropped === 0) return line;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return this.#line('notice', `${dropped} lines are missing here: the disk was too slow`);
  }

  #line(level: Level, text: string): string {
    return `${new Date().toISOString()} ${level} [${this.#label}] ${text}`;
  }

  async #write(line: string): Promise<void> {
    const fd = await this.#current();
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`);
    const { bytesWritten } = await write(fd, bytes);
    this.#isTorn = bytesWritten < bytes.length;
    if (this.#isTorn) throw new Error('only part of a line could be written: the disk is full, or a limit is reached');
  }

  /** The file that is at the path now: after a rotation it is another one. */
  async #current(): Promise<number> {
    const now = performance.now();
    if (this.#fd !== null && now - this.#checkedAt >= RECHECK_MS) {
      this.#checkedAt = now;
      if (await this.#isMoved(this.#fd)) await this.#close(this.#fd);
    }
    if (this.#fd === null) {
      this.#fd = await open(this.#path, FLAGS, 0o600);
      this.#checkedAt = now;
    }
    return this.#fd;
  }

  async #close(fd: number): Promise<void> {
    this.#fd = null;
    this.#isTorn = false;
    // Nothing can be done about a late failure, and the new file is what counts.
    await close(fd).catch(() => {});
  }

  async #isMoved(fd: number): Promise<boolean> {
    try {
      const [ours, there] = await Promise.all([fstat(fd, BIG), stat(this.#path, BIG)]);
      return ours.ino !== there.ino || ours.dev !== there.dev;
    } catch (error) {
      // Moved away, and no new file yet; other errors say nothing about the open file.
      return hasCode(error, 'ENOENT');
    }
  }
}
