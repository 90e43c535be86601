/**
 * Finds many fixed byte strings at once, in one pass whose time does not depend on their number.
 *
 * Wu and Manber's search: look at the two bytes at which a window as long as the shortest value ends. If no value has
 * them there, the window moves on as far as it can; ordinary text is mostly skipped, not read.
 */
import type { ByteRange } from './byte-range.ts';

/** The search looks at blocks of this size. */
const BLOCK_BYTES = 2;

export class FixedValues {
  /** Of the shortest value. */
  readonly #windowBytes: number;
  readonly #longestBytes: number;
  /** By the block at the end of the window: how far the window may move without missing anything. */
  readonly #shifts: Uint8Array;
  /** By the block at the end of the window: the values that may begin where the window does. */
  readonly #candidates = new Map<number, Uint8Array[]>();
  readonly #byFirstByte: readonly (readonly Uint8Array[])[];
  /** By block: whether a value begins with it. */
  readonly #beginnings = new Uint8Array(1 << 16);

  /** @param values of at least two bytes each; shorter ones are left out */
  constructor(values: readonly Uint8Array[]) {
    const usable = values.filter((value) => value.length >= BLOCK_BYTES);
    this.#windowBytes = usable.reduce((least, value) => Math.min(least, value.length), Number.POSITIVE_INFINITY);
    this.#longestBytes = usable.reduce((most, value) => Math.max(most, value.length), 0);
    const byFirstByte: Uint8Array[][] = Array.from({ length: 256 }, () => []);
    this.#shifts = new Uint8Array(1 << 16).fill(Math.min(255, this.#windowBytes - 1));
    for (const value of usable) {
      byFirstByte[value[0] ?? 0]?.push(value);
      this.#beginnings[blockAt(value, 0)] = 1;
      this.#addValue(value);
    }
    this.#byFirstByte = byFirstByte;
  }

  get isEmpty(): boolean {
    return this.#longestBytes === 0;
  }

  /** Adds to `ranges` every occurrence of a value in `data` from `from` on, overlapping ones too. */
  find(data: Uint8Array, from: number, ranges: ByteRange[]): void {
    const shifts = this.#shifts;
    const { length } = data;
    const last = this.#windowBytes - 1;
    let at = from + last;
    while (at < length) {
      const block = blockAt(data, at - 1);
      const shift = shifts[block] ?? 0;
      if (shift > 0) {
        at += shift;
      } else {
        this.#verify(data, at - last, block, ranges);
        at += 1;
      }
    }
  }

  /**
   * Where the longest end of `data` that may grow into a value begins: the longest one that is a value's proper prefix.
   * `data.length` when there is none.
   */
  unfinishedFrom(data: Uint8Array, from: number): number {
    const beginnings = this.#beginnings;
    const { length } = data;
    for (let start = Math.max(from, length - this.#longestBytes + 1); start < length - 1; start += 1) {
      const block = blockAt(data, start);
      if (beginnings[block] !== 0 && this.#mayGrow(data, start)) return start;
    }
    return length > from && this.#mayGrow(data, length - 1) ? length - 1 : length;
  }

  /** Whether `data` from `start` on is a value's proper prefix. */
  #mayGrow(data: Uint8Array, start: number): boolean {
    const length = data.length - start;
    for (const value of this.#byFirstByte[data[start] ?? 0] ?? []) {
      if (value.length > length && matchesAt(data, start, value, length)) return true;
    }
    return false;
  }

  #addValue(value: Uint8Array): void {
    for (let at = 1; at < this.#windowBytes; at += 1) {
      const block = blockAt(value, at - 1);
      this.#shifts[block] = Math.min(this.#shifts[block] ?? 0, this.#windowBytes - 1 - at);
      if (at < this.#windowBytes - 1) continue;
      const candidates = this.#candidates.get(block);
      if (candidates === undefined) this.#candidates.set(block, [value]);
      else candidates.push(value);
    }
  }

  #verify(data: Uint8Array, start: number, block: number, ranges: ByteRange[]): void {
    let longest = 0;
    for (const value of this.#candidates.get(block) ?? []) {
      if (value.length <= longest || value.length > data.length - start) continue;
      if (matchesAt(data, start, value, value.length)) longest = value.length;
    }
    if (longest > 0) ranges.push({ from: start, to: start + longest });
  }
}

function blockAt(data: Uint8Array, start: number): number {
  return ((data[start] ?? 0) << 8) | (data[start + 1] ?? 0);
}

/** Whether `data` from `start` on has the first `length` bytes of `value`. */
function matchesAt(data: Uint8Array, start: number, value: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at += 1) {
    if (data[start + at] !== value[at]) return false;
  }
  return true;
}
