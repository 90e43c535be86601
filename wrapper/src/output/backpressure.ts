/**
 * Makes the command wait a moment for the disk: a burst of output would otherwise leave a gap, on a disk that could have
 * taken all of it. It waits only a moment, or as long as output leaves memory at a good pace: a disk that is slow or hangs
 * must not block the command.
 */
import { performance } from 'node:perf_hooks';
import { MIB } from '#protocol/limits';
import type { UnackedOutput } from './unacked-output.ts';

/** How long a run's command may wait in total for a disk that takes nothing. */
const LONGEST_MS = 500;
/** The command is not slowed below 64 MiB/s, at which the spool's limit is reached after some seconds. */
const BYTES_PER_MS = (64 * MIB) / 1_000;

export class Backpressure {
  /** Called when reading may continue. */
  onRelease: () => void = () => {};
  readonly #output: UnackedOutput;
  readonly #longestMs: number;
  #leftMs: number;
  /** The time and the byte up to which the wait and what has left memory are accounted for. */
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

  /** Whether reading the command's output should pause; `onRelease` follows. */
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

  /** Adds time to wait for what has left memory. */
  #addCredit(): void {
    const { heldFrom } = this.#output;
    this.#leftMs = Math.min(this.#longestMs, this.#leftMs + (heldFrom - this.#heldFrom) / BYTES_PER_MS);
    this.#heldFrom = heldFrom;
  }
}
