/**
 * Forwards output to our own stdout or stderr, in order and complete, and blocks nothing except the command.
 *
 * A reader that is slow, or stops, makes the command wait, as in a pipe without us: missing bytes would be a damaged backup
 * with exit code 0. Kills, heartbeats and the network continue meanwhile.
 *
 * A terminal is different: a job must not stop all night because a terminal is stopped (Ctrl-S, a detached `screen`). What
 * it doesn't take is omitted, and a line says so when it reads again.
 */
import { ByteQueue } from '../buffer/byte-queue.ts';
import type { Writer, Written } from './descriptor.ts';

/** With this many queued bytes the command must wait. */
const BACKED_UP_BYTES = 1024 * 1024;
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 100;
/** A terminal that has taken nothing for this long counts as not read. */
const STALLED_MS = 2_000;

export interface SinkEvents {
  /** The command may be read again after `isBackedUp` was true. */
  drained(): void;
  /** Nothing can be written any more. */
  broken(failure: Extract<Written, { kind: 'broken' }>): void;
}

export class Sink {
  readonly #writer: Writer;
  readonly #queue = new ByteQueue();
  #events: SinkEvents = { drained() {}, broken() {} };
  #writing = false;
  #broken = false;
  #failure: string | null = null;
  #retryMs = FIRST_RETRY_MS;
  #waiting: { readonly isOver: () => boolean; readonly resolve: () => void }[] = [];
  /** How much of the queue, from its front, holds the last byte that was not written aside. */
  #owed = 0;
  /** Runs while a terminal has something to take. */
  #stallTimer: NodeJS.Timeout | null = null;
  #stalled = false;
  #omitted = 0;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  listen(events: SinkEvents): void {
    this.#events = events;
  }

  /** Whether reading more output should pause. */
  get isBackedUp(): boolean {
    return this.#queue.length >= BACKED_UP_BYTES && !this.#broken && !this.#stalled;
  }

  /** Why nothing can be written any more; null while it can, and when the reader has gone. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Bytes that have not been written yet. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Bytes that a terminal was not shown, and that no line has mentioned yet. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Writes `bytes`, or queues a copy, or drops them when the reader is gone. They may be changed afterwards. */
  write(bytes: Uint8Array): void {
    this.writeAside(bytes);
    this.#owed = this.#queue.length;
  }

  /** The same for what the command has not printed: `forwarded` does not wait for it. */
  writeAside(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return;
    // Once something was omitted, everything is, until the line that says so has been queued.
    if (this.#stalled && (this.#omitted > 0 || this.#queue.length >= BACKED_UP_BYTES)) {
      this.#omitted += bytes.length;
      return;
    }
    const taken = this.#queue.length === 0 && !this.#writing ? this.#writeNow(bytes) : 0;
    if (taken < bytes.length && !this.#broken) this.#enqueue(taken === 0 ? bytes : bytes.subarray(taken));
  }

  /** Resolves when all is written, the reader is gone, or the terminal is not being read. Never rejects. */
  drained(): Promise<void> {
    return this.#until(() => this.queued === 0);
  }

  /** The same, except for what was written aside last. */
  forwarded(): Promise<void> {
    return this.#until(() => this.#owed === 0);
  }

  #until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isOver, resolve });
      this.#resolveWaiting();
    });
  }

  /** @returns how many bytes were taken */
  #writeNow(bytes: Uint8Array): number {
    const result = this.#writer.writeNow?.(bytes);
    switch (result?.kind) {
      case 'written':
        return result.bytes;
      case 'broken':
        this.#break(result);
        return 0;
      case 'full':
      case undefined:
        return 0;
    }
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    if (this.#writer.isTerminal) this.#stallTimer ??= setTimeout(() => this.#stall(), STALLED_MS);
    this.#writeNext();
  }

  #writeNext(): void {
    if (this.#writing || this.#broken || this.#queue.length === 0) return;
    this.#writing = true;
    this.#writer.write(this.#queue.peek(), (result) => this.#written(result));
  }

  #written(result: Written): void {
    switch (result.kind) {
      case 'full':
        setTimeout(() => {
          this.#writing = false;
          this.#writeNext();
        }, this.#retryMs);
        this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
        return;
      case 'broken':
        this.#break(result);
        return;
      case 'written':
        this.#writing = false;
        this.#retryMs = FIRST_RETRY_MS;
        this.#taken(result.bytes);
        this.#writeNext();
        return;
    }
  }

  #taken(bytes: number): void {
    const wasCongested = this.isBackedUp;
    this.#queue.discard(bytes);
    this.#owed = Math.max(0, this.#owed - bytes);
    this.#stallTimer?.refresh();
    if (this.#queue.length === 0) this.#caughtUp();
    if (wasCongested && !this.isBackedUp) this.#events.drained();
    this.#resolveWaiting();
  }

  #break(failure: Extract<Written, { kind: 'broken' }>): void {
    this.#broken = true;
    this.#failure = failure.readerGone ? null : failure.why;
    this.#queue.clear();
    this.#owed = 0;
    this.#stopStallTimer();
    this.#events.broken(failure);
    this.#events.drained();
    this.#resolveWaiting();
  }

  #stall(): void {
    this.#stopStallTimer();
    this.#stalled = true;
    this.#events.drained();
    this.#resolveWaiting();
  }

  #caughtUp(): void {
    this.#stopStallTimer();
    this.#stalled = false;
    if (this.#omitted === 0) return;
    const line = `\nleash: ${this.#omitted} bytes of output were not shown: the terminal was not being read\n`;
    this.#omitted = 0;
    this.#enqueue(Buffer.from(line));
  }

  #stopStallTimer(): void {
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer);
    this.#stallTimer = null;
  }

  #resolveWaiting(): void {
    for (const each of this.#waiting.splice(0)) {
      if (this.#stalled || each.isOver()) each.resolve();
      else this.#waiting.push(each);
    }
  }
}
