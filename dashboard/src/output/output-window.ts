/**
 * A contiguous range of a run's output as parts, in order; each part of bytes has its stream.
 *
 * It is bounded by its weight and by the rows that it may take on a screen, and slides over output of any length: what it
 * drops at one end can be requested again.
 */
import { KIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';

export interface BytesPart extends OutputFrame {
  readonly kind: 'bytes';
}

/** Bytes [start, end) that are permanently missing. */
export interface GapPart {
  readonly kind: 'gap';
  readonly start: number;
  readonly end: number;
  /** Where the gap begins: before `start`, where a window opens within it. */
  readonly begin: number;
}

export type OutputPart = BytesPart | GapPart;

export interface WindowBounds {
  readonly weight: number;
  readonly rows: number;
  /** How wide a row is. */
  readonly columns: number;
}

interface Size {
  readonly weight: number;
  readonly newlines: number;
  readonly cells: number;
}

interface Kept {
  readonly part: OutputPart;
  readonly size: Size;
}

/** Output arrives byte by byte or in large frames: it is kept, and dropped, in parts of up to this size. */
const PART_BYTES = 4 * KIB;
/** What a part costs besides its bytes. */
const PART_WEIGHT = 128;
const NOTHING: Size = { weight: 0, newlines: 0, cells: 0 };
/** Of the bounds of two joined windows, the share of the one that the reader is moving to. */
const LARGE_SHARE = 0.7;

const NEWLINE = 0x0a;
const TAB = 0x09;
const TAB_CELLS = 8;

export class OutputWindow {
  #kept: Kept[] = [];
  #size = NOTHING;
  #start: number;
  #next: number;
  #isCut: boolean;

  constructor(start: number) {
    this.#start = start;
    this.#next = start;
    this.#isCut = start > 0;
  }

  /** The offset of its first byte. */
  get start(): number {
    return this.#start;
  }

  /** The offset of the first byte that has not arrived yet. */
  get next(): number {
    return this.#next;
  }

  /** Whether its first byte may be in the middle of a line. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Whether it holds nothing but gaps. */
  get isGap(): boolean {
    return this.#kept.every(({ part }) => part.kind === 'gap');
  }

  isWithin(bounds: WindowBounds): boolean {
    return isWithin(this.#size, bounds);
  }

  /** Appends a frame. Returns 'gap', and appends nothing, when bytes before it are missing: they must be requested. */
  push(frame: OutputFrame): 'taken' | 'known' | 'gap' {
    const end = frame.start + frame.bytes.length;
    if (end <= this.#next) return 'known';
    if (frame.start > this.#next) return 'gap';
    const part = { kind: 'bytes', ...frame } as const;
    while (this.#next < end) this.#append(this.#joined(slice(part, this.#next, this.#next + PART_BYTES)));
    return 'taken';
  }

  /** Appends a gap up to `to`. @param begin where the gap begins, if before the window */
  gap(to: number, begin = this.#next): void {
    if (to <= this.#next) return;
    const gap = { kind: 'gap', start: this.#next, end: to, begin: Math.min(begin, this.#next) } as const;
    this.#append(this.#gapWithLast(gap));
  }

  /** The part that begins at `offset`, at most up to `limit`; null at the end. */
  read(offset: number, limit = Number.POSITIVE_INFINITY): OutputPart | null {
    const part = this.#kept[this.#indexOf(offset)]?.part;
    if (part === undefined) return null;
    return part.kind === 'gap' ? part : slice(part, offset, Math.min(limit, endOf(part)));
  }

  /** Drops the parts before `offset`. */
  dropBefore(offset: number): void {
    this.#dropFirst(this.#indexOf(offset));
  }

  /** Drops the first parts until the others are within the bounds. */
  dropToFit(bounds: WindowBounds): void {
    let drop = 0;
    let size = this.#size;
    for (; drop < this.#kept.length - 1 && !isWithin(size, bounds); drop += 1) {
      size = difference(size, this.#kept[drop]?.size ?? NOTHING);
    }
    this.#dropFirst(drop);
  }

  /**
   * Joins this window with the one that begins where it ends, and keeps what is around that offset, within the bounds.
   *
   * @param more which of them gets the larger share
   */
  joinedWith(later: OutputWindow, bounds: WindowBounds, more: 'before' | 'after'): OutputWindow {
    const share = (of: number) => ({ ...bounds, weight: bounds.weight * of, rows: bounds.rows * of });
    const [shareBefore, shareAfter] =
      more === 'before' ? [LARGE_SHARE, 1 - LARGE_SHARE] : [1 - LARGE_SHARE, LARGE_SHARE];
    const before = this.#kept.toReversed();
    const first = before.length - fitting(before, share(shareBefore));
    const joined = new OutputWindow(this.#start);
    joined.#isCut = this.#isCut;
    joined.#kept = [...this.#kept];
    joined.#size = this.#size;
    joined.#next = this.#next;
    for (const { part } of later.#kept.slice(0, fitting(later.#kept, share(shareAfter)))) {
      if (part.kind === 'gap') joined.gap(part.end, part.begin);
      else joined.#append(part);
    }
    joined.#dropFirst(first);
    return joined;
  }

  #append(part: OutputPart): void {
    const kept = { part, size: sizeOf(part) };
    this.#kept.push(kept);
    this.#size = sum(this.#size, kept.size);
    this.#next = endOf(part);
  }

  /** Merges a gap with the one that it continues. */
  #gapWithLast(gap: GapPart): GapPart {
    const last = this.#kept.at(-1);
    if (last?.part.kind !== 'gap') return gap;
    this.#kept.pop();
    this.#size = difference(this.#size, last.size);
    return { ...gap, start: last.part.start, begin: last.part.begin };
  }

  /** The part itself, or joined with the last one, which it then replaces. */
  #joined(part: BytesPart): BytesPart {
    const last = this.#kept.at(-1);
    if (last?.part.kind !== 'bytes' || last.part.stream !== part.stream) return part;
    if (last.part.bytes.length + part.bytes.length > PART_BYTES) return part;
    this.#kept.pop();
    this.#size = difference(this.#size, last.size);
    const bytes = new Uint8Array(last.part.bytes.length + part.bytes.length);
    bytes.set(last.part.bytes);
    bytes.set(part.bytes, last.part.bytes.length);
    return { ...part, start: last.part.start, bytes };
  }

  #dropFirst(count: number): void {
    if (count === 0) return;
    const gone = this.#kept.splice(0, count);
    const { part } = lastOf(gone);
    this.#isCut = part.kind === 'bytes' && part.bytes.at(-1) !== NEWLINE;
    this.#start = endOf(part);
    this.#size = gone.reduce((size, kept) => difference(size, kept.size), this.#size);
  }

  /** The index of the part that holds the byte, by bisection: a window may have thousands of parts. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const kept = this.#kept[middle];
      if (kept !== undefined && endOf(kept.part) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How many parts, from the first, are within the bounds. */
function fitting(kept: readonly Kept[], bounds: WindowBounds): number {
  let size = NOTHING;
  const beyond = kept.findIndex((next) => {
    size = sum(size, next.size);
    return !isWithin(size, bounds);
  });
  return beyond === -1 ? kept.length : beyond;
}

function isWithin({ weight, newlines, cells }: Size, bounds: WindowBounds): boolean {
  // An upper bound: how each line wraps is not computed.
  return weight <= bounds.weight && newlines + cells / bounds.columns <= bounds.rows;
}

function sizeOf(part: OutputPart): Size {
  if (part.kind === 'gap') return { weight: PART_WEIGHT, newlines: 2, cells: TAB_CELLS };
  let newlines = 0;
  let tabs = 0;
  for (const byte of part.bytes) {
    if (byte === NEWLINE) newlines += 1;
    else if (byte === TAB) tabs += 1;
  }
  const { length } = part.bytes;
  return { weight: length + PART_WEIGHT, newlines, cells: length + tabs * (TAB_CELLS - 1) };
}

function sum(a: Size, b: Size): Size {
  return { weight: a.weight + b.weight, newlines: a.newlines + b.newlines, cells: a.cells + b.cells };
}

function difference(a: Size, b: Size): Size {
  return { weight: a.weight - b.weight, newlines: a.newlines - b.newlines, cells: a.cells - b.cells };
}

/** The offset that follows the part. */
export function endOf(part: OutputPart): number {
  return part.kind === 'gap' ? part.end : part.start + part.bytes.length;
}

function slice(part: BytesPart, from: number, to: number): BytesPart {
  return { ...part, start: from, bytes: part.bytes.subarray(from - part.start, to - part.start) };
}

function lastOf(kept: readonly Kept[]): Kept {
  const last = kept.at(-1);
  if (last === undefined) throw new Error('no part was dropped');
  return last;
}
