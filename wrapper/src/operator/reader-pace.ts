/**
 * Holds back what produces output while the reader of stdout is slow: what it has not read would pile up in memory.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

export interface Producer {
  pause(): void;
  resume(): void;
}

export class ReaderPace {
  readonly #stream: Writable;
  readonly #held = new Set<Producer>();

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream;
  }

  /** Call it after something was written for the producer. It is paused until the reader has caught up. */
  written(producer: Producer): void {
    if (!this.#stream.writableNeedDrain || this.#held.has(producer)) return;
    if (this.#held.size === 0) this.#stream.once('drain', () => this.#release());
    this.#held.add(producer);
    producer.pause();
  }

  /** The producer has ended. */
  forget(producer: Producer): void {
    this.#held.delete(producer);
  }

  /** Resolves when the reader has caught up: at once if it has. */
  async caughtUp(): Promise<void> {
    if (this.#stream.writableNeedDrain) await once(this.#stream, 'drain');
  }

  #release(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const producer of held) producer.resume();
  }
}
