/**
 * How much memory the processes of a run occupy together, where a page that several of them share counts once.
 *
 * The sum of what each occupies counts such pages several times: a server that has forked 50 workers would appear 50 times
 * as large. The exact sum (PSS) is expensive: the kernel goes through every page. So it is asked for only where it can
 * matter: where the simple sum, which is never too low, is above the peak so far, and well above the largest process alone.
 */
import { inSlices } from './in-slices.ts';
import type { ProcessFigures } from './process-figures.ts';

export type ResidentProcess = Pick<ProcessFigures, 'pid' | 'residentBytes'>;

/** What is read of a single process; null where that can't be. */
export interface MemoryReader {
  /** Of each process that is there, whoever it belongs to. */
  peakBytes(pid: number): number | null;
  proportionalBytes(pid: number): Promise<number | null>;
}

/** A difference that isn't worth an exact sum. */
const TOLERANCE = 1.1;
/** By how much the simple sum must be above the peak. */
const NEWS = 1.02;

export class MemoryGauge {
  readonly #reader: MemoryReader;
  readonly #limitBytes: number;
  #peakBytes = 0;

  /** @param limitBytes where it must be exact */
  constructor(reader: MemoryReader, limitBytes = Number.POSITIVE_INFINITY) {
    this.#reader = reader;
    this.#limitBytes = limitBytes;
  }

  /** 0: no process was ever looked at. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /**
   * Looks at these processes.
   *
   * @param isShown whether a person wants to know how much it is now, so that the sum must be exact
   * @returns how much it is now
   */
  async measure(processes: readonly ResidentProcess[], isShown: boolean): Promise<number> {
    const [first, ...others] = processes;
    if (first === undefined) return 0;
    const largest = others.reduce((most, each) => (each.residentBytes > most.residentBytes ? each : most), first);
    // It may have been larger between two looks.
    this.#raise(Math.max(largest.residentBytes, this.#reader.peakBytes(largest.pid) ?? 0));
    const sum = processes.reduce((bytes, { residentBytes }) => bytes + residentBytes, 0);
    if (!this.#needsExactSum(largest.residentBytes, sum, isShown)) {
      if (sum <= largest.residentBytes * TOLERANCE) this.#raise(sum);
      return Math.min(sum, this.#peakBytes);
    }
    const exact = Math.max(largest.residentBytes, await this.#exactSum(processes));
    this.#raise(exact);
    return exact;
  }

  #needsExactSum(largest: number, sum: number, isShown: boolean): boolean {
    if (sum > this.#limitBytes && this.#peakBytes <= this.#limitBytes) return true;
    return sum > largest * TOLERANCE && (isShown || sum > this.#peakBytes * NEWS);
  }

  /**
   * Never too high: what one process shares with another that ends meanwhile must not be counted in full with both. So only
   * those count that were there all the time.
   */
  async #exactSum(processes: readonly ResidentProcess[]): Promise<number> {
    const parts: { readonly pid: number; readonly bytes: number }[] = [];
    // Another user's process doesn't tell: it counts with all that it occupies.
    for (const { pid, residentBytes } of processes) {
      parts.push({ pid, bytes: (await this.#reader.proportionalBytes(pid)) ?? residentBytes });
    }
    let sum = 0;
    for await (const { pid, bytes } of inSlices(parts)) if (this.#reader.peakBytes(pid) !== null) sum += bytes;
    return sum;
  }

  #raise(bytes: number): void {
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
  }
}
