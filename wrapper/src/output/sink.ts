/** Passing output on to our own stdout or stderr, in order, bounded, and without ever holding anything else up. */
import { Deque } from './deque.ts';
import type { Writer, Written } from './descriptor.ts';

/** From here on the command is made to wait, as it would in a plain pipe, while whoever reads us is still reading. */
const CONGESTED_BYTES = 1024 * 1024;
/** The most that is kept for a reader who has stopped reading. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** A reader who took nothing for so long has stopped reading: the command doesn't wait for it any longer. */
export const READER_STUCK_MS = 2_000;
const WRITE_BYTES = 64 * 1024;
const FIRST_RETRY_MS = 5;
const LAST_RETRY_MS = 100;

export interface SinkEvents {
  /** The command may be read again after `congested` was true. */
  relieved(): void;
  /** The first of a series of bytes had to be dropped. */
  dropping(): void;
  /** The reader reads again; so many bytes are missing. */
  dropped(bytes: number): void;
  /** Nothing can be written any more. */
  broken(failure: Extract<Written, { kind: 'broken' }>): void;
}

export class Sink {
  readonly #write: Writer;
  readonly #queue = new Deque<Uint8Array>();
  #events: SinkEvents = { relieved() {}, dropping() {}, dropped() {}, broken() {} };
  #queued = 0;
  #writing = false;
  #broken = false;
  #stuck = false;
  #dropped = 0;
  #stuckTimer: NodeJS.Timeout | null = null;
  #retryMs = FIRST_RETRY_MS;
  #waiting: (() => void)[] = [];

  constructor(write: Writer) {
    this.#write = write;
  }

  listen(events: SinkEvents): void {
    this.#events = events;
  }

  /** Whether whoever produces output should pause; false for a reader who has stopped reading. */
  get congested(): boolean {
    return this.#queued >= CONGESTED_BYTES && !this.#stuck && !this.#broken;
  }

  /** Queues `bytes`, or drops them when the reader is gone or too far behind. */
  write(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return;
    if (this.#queued + bytes.length > MAX_QUEUED_BYTES) {
      if (this.#dropped === 0) this.#events.dropping();
      this.#dropped += bytes.length;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#writeNext();
  }

  /** Resolves when all is written, or when the reader is gone or has stopped reading. Never rejects. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
  }

  #writeNext(): void {
    const next = this.#queue.at(0);
    if (this.#writing || this.#broken || next === undefined) return;
    this.#writing = true;
    this.#watchReader();
    this.#write(next.subarray(0, WRITE_BYTES), (result) => this.#written(result));
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
        this.#broken = true;
        this.#stopWatching();
        this.#events.broken(result);
        this.#events.relieved();
        this.#settle();
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
    this.#stopWatching();
    const wasCongested = this.congested;
    const first = this.#queue.at(0);
    this.#queued -= bytes;
    if (first !== undefined) {
      if (bytes >= first.length) this.#queue.shift();
      else this.#queue.replaceFirst(first.subarray(bytes));
    }
    this.#stuck = false;
    if (wasCongested && !this.congested) this.#events.relieved();
    if (this.#dropped > 0 && this.#queued < CONGESTED_BYTES) {
      this.#events.dropped(this.#dropped);
      this.#dropped = 0;
    }
    this.#settle();
  }

  #watchReader(): void {
    if (this.#stuckTimer !== null || this.#stuck) return;
    this.#stuckTimer = setTimeout(() => {
      this.#stuckTimer = null;
      this.#stuck = true;
      this.#events.relieved();
      this.#settle();
    }, READER_STUCK_MS);
  }

  #stopWatching(): void {
    if (this.#stuckTimer !== null) clearTimeout(this.#stuckTimer);
    this.#stuckTimer = null;
  }

  #settle(): void {
    if (this.#queued > 0 && !this.#stuck && !this.#broken) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
