/**
 * Passing output on to our own stdout or stderr, in order and whole, without ever holding anything but the command up.
 *
 * A reader who is slow, or stops, makes the command wait, as in the pipe that would be there without us: bytes that are
 * left out would be a damaged backup with exit code 0. Kills, heartbeats and the network go on meanwhile.
 */
import { Deque } from './deque.ts';
import type { Writer, Written } from './descriptor.ts';

/** From here on the command is made to wait. */
const CONGESTED_BYTES = 1024 * 1024;
const WRITE_BYTES = 64 * 1024;
const FIRST_RETRY_MS = 5;
const LAST_RETRY_MS = 100;

export interface SinkEvents {
  /** The command may be read again after `congested` was true. */
  relieved(): void;
  /** Nothing can be written any more. */
  broken(failure: Extract<Written, { kind: 'broken' }>): void;
}

export class Sink {
  readonly #write: Writer;
  readonly #queue = new Deque<Uint8Array>();
  #events: SinkEvents = { relieved() {}, broken() {} };
  #queued = 0;
  #writing = false;
  #broken = false;
  #retryMs = FIRST_RETRY_MS;
  #waiting: (() => void)[] = [];

  constructor(write: Writer) {
    this.#write = write;
  }

  listen(events: SinkEvents): void {
    this.#events = events;
  }

  /** Whether whoever produces output should pause. */
  get congested(): boolean {
    return this.#queued >= CONGESTED_BYTES && !this.#broken;
  }

  /** Bytes that have not been written yet. */
  get queued(): number {
    return this.#broken ? 0 : this.#queued;
  }

  /** Queues `bytes`, or drops them when the reader is gone. */
  write(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#writeNext();
  }

  /** Resolves when all is written or the reader is gone. Never rejects. */
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
    const wasCongested = this.congested;
    const first = this.#queue.at(0);
    this.#queued -= bytes;
    if (first !== undefined) {
      if (bytes >= first.length) this.#queue.shift();
      else this.#queue.replaceFirst(first.subarray(bytes));
    }
    if (wasCongested && !this.congested) this.#events.relieved();
    this.#settle();
  }

  #settle(): void {
    if (this.queued > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
