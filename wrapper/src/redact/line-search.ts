/** Searches a stream for patterns, line by line. */
import type { ByteRange } from './byte-range.ts';

/** A longer line is searched in windows, which limits what must be held back. */
export const MAX_WINDOW_BYTES = 64 * 1024;
/** Windows overlap by this: no shorter match is missed where two of them meet. */
export const OVERLAP_BYTES = 4 * 1024;

const LF = 0x0a;
const CR = 0x0d;

/**
 * Finds matches within lines; a line ends with LF or CR. The windows of a long line depend on the line alone,
 * never on how it arrived.
 *
 * Offsets are those of the data handed in, which starts at the same byte each time until `shiftOrigin` moves that.
 */
export class LineSearch {
  readonly #patterns: readonly RegExp[];
  /** For each pattern, where its last match ended: the next one starts there or later. */
  readonly #resume: number[];
  /** What comes before has been searched. */
  #pending = 0;
  /** No line ends between `#pending` and here. */
  #scannedTo = 0;
  /** Whether `#pending` lies within a line. */
  #midLine = false;

  /** @param patterns global ones for latin1 text, for this search alone: it sets their lastIndex */
  constructor(patterns: readonly RegExp[]) {
    this.#patterns = patterns;
    this.#resume = patterns.map(() => 0);
  }

  /** Matches that start from here on have not been looked for. */
  get pendingFrom(): number {
    return this.#pending;
  }

  /** From here on the data is needed again: a pattern may look behind. */
  get neededFrom(): number {
    return this.#midLine ? Math.max(0, this.#pending - OVERLAP_BYTES) : this.#pending;
  }

  /** Adds to `ranges` the matches in all lines that are complete, and in the full windows of the one that isn't. */
  find(data: Buffer, ranges: ByteRange[]): void {
    const origin = this.neededFrom;
    let lineEnd = endOfLine(data, this.#scannedTo);
    this.#scannedTo = data.length;
    if (lineEnd === data.length && !this.#overlong(lineEnd)) return;
    const text = data.toString('latin1', origin);
    for (;;) {
      while (this.#overlong(lineEnd)) {
        const windowEnd = this.#pending + MAX_WINDOW_BYTES;
        this.#search(text, origin, windowEnd, windowEnd - OVERLAP_BYTES, ranges);
        this.#pending = windowEnd - OVERLAP_BYTES;
        this.#midLine = true;
      }
      if (lineEnd === data.length) return;
      this.#search(text, origin, lineEnd, lineEnd, ranges);
      this.#pending = lineEnd + 1;
      this.#midLine = false;
      lineEnd = endOfLine(data, this.#pending);
    }
  }

  /** The same for the rest, once nothing more comes. Call `find` first. */
  finish(data: Buffer, ranges: ByteRange[]): void {
    const origin = this.neededFrom;
    this.#search(data.toString('latin1', origin), origin, data.length, data.length, ranges);
    this.#pending = data.length;
  }

  /** The data handed in from now on starts `bytes` later: at most `neededFrom`. */
  shiftOrigin(bytes: number): void {
    this.#pending -= bytes;
    this.#scannedTo -= bytes;
    for (const [index, at] of this.#resume.entries()) this.#resume[index] = Math.max(0, at - bytes);
  }

  #overlong(end: number): boolean {
    return end - this.#pending > MAX_WINDOW_BYTES;
  }

  /** Searches up to `end` for matches that start before `startsBefore`. `text` starts at `origin`. */
  #search(text: string, origin: number, end: number, startsBefore: number, ranges: ByteRange[]): void {
    // What comes before `#pending` within the line is there for `^` and whatever looks behind.
    const offset = this.#midLine ? Math.max(origin, this.#pending - OVERLAP_BYTES) : this.#pending;
    if (end <= this.#pending) return;
    const line = text.slice(offset - origin, end - origin);
    for (const [index, pattern] of this.#patterns.entries()) {
      pattern.lastIndex = Math.max(this.#pending, this.#resume[index] ?? 0) - offset;
      for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
        const from = offset + match.index;
        if (from >= startsBefore) break;
        if (match[0] === '') {
          pattern.lastIndex += 1;
          continue;
        }
        const to = from + match[0].length;
        this.#resume[index] = to;
        ranges.push({ from, to });
      }
    }
  }
}

/** Where the line that `from` lies in ends, or the data. Most lines are too short for `indexOf` to be worth its call. */
function endOfLine(data: Uint8Array, from: number): number {
  const { length } = data;
  for (let at = from; at < length; at += 1) {
    const byte = data[at];
    if (byte === LF || byte === CR) return at;
  }
  return length;
}
