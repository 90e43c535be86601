/**
 * Lets the command wait a moment for the disk: what it prints in one go would otherwise leave a hole in the record, on a
 * disk that could have taken all of it. Only for a moment, in all: no disk is to hold the command up.
 */
import { performance } from 'node:perf_hooks';
import type { UnackedOutput } from './unacked.ts';

/** How long a run's command may wait, all times together. */
const LONGEST_MS = 500;

export class Brake {
  /** Called when what waits may go on. */
  onRelease: () => void = () => {};
  readonly #output: UnackedOutput;
  #leftMs: number;
  #since: number | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: UnackedOutput, longestMs = LONGEST_MS) {
    this.#output = output;
    this.#leftMs = longestMs;
    output.onRoom = () => {
      if (this.#since !== null && !output.isCrowded) this.#release();
    };
  }

  /** Whether who reads the command's output should stop for now; `onRelease` follows. */
  isOn(): boolean {
    if (this.#since !== null) return true;
    if (this.#leftMs <= 0 || !this.#output.isCrowded) return false;
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#release(), this.#leftMs);
    return true;
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - (this.#since ?? 0);
    this.#since = null;
    this.onRelease();
  }
}
