/**
 * Lets the command wait a moment for the disk: what it prints in one go would otherwise leave a hole in the record, on a
 * disk that could have taken all of it. Only for a moment, and for as long as it takes to get rid of what was printed at a
 * good pace: no disk that is slow or hangs is to hold the command up.
 */
import { performance } from 'node:perf_hooks';
import { MIB } from '#protocol/limits';
import type { UnackedOutput } from './unacked-output.ts';

/** How long a run's command may wait for a disk that takes nothing, all times together. */
const LONGEST_MS = 500;
/** The command is not slowed below 64 MiB/s, at which what may be kept of it is on disk after some seconds. */
const BYTES_PER_MS = (64 * MIB) / 1_000;

export class Backpressure {
  /** Called when what waits may go on. */
  onRelease: () => void = () => {};
  readonly #output: UnackedOutput;
  readonly #longestMs: number;
  #leftMs: number;
  /** Until when, and up to which byte, what was waited and what has left memory is accounted for. */
  #since: number | null = null;
  #heldFrom = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: UnackedOutput, longestMs = LONGEST_MS) {
    this.#output = output;
    this.#longestMs = longestMs;
    this.#leftMs = longestMs;
    output.onRoom = () => {
      if (this.#since !== null && !output.isNearlyFull) this.#release();
    };
  }

  /** Whether who reads the command's output should stop for now; `onRelease` follows. */
  isActive(): boolean {
    if (this.#since !== null) return true;
    if (!this.#output.isNearlyFull) return false;
    this.#addCredit();
    if (this.#leftMs <= 0) return false;
    this.#since = performance.now();
    this.#wait();
    return true;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#account();
      if (this.#leftMs > 0 && this.#output.isNearlyFull) this.#wait();
      else this.#release();
    }, this.#leftMs);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#account();
    this.#since = null;
    this.onRelease();
  }

  #account(): void {
    const now = performance.now();
    this.#leftMs -= now - (this.#since ?? now);
    this.#since = now;
    this.#addCredit();
  }

  /** What has left memory meanwhile gives time back. */
  #addCredit(): void {
    const { heldFrom } = this.#output;
    this.#leftMs = Math.min(this.#longestMs, this.#leftMs + (heldFrom - this.#heldFrom) / BYTES_PER_MS);
    this.#heldFrom = heldFrom;
  }
}
