/**
 * A stretch of a run's output, without holes: what came, in order, each piece with its stream.
 *
 * It is bounded by what it weighs and by the rows that it may take on a screen, and slides over a log of any length: what
 * is dropped at one end can be asked for again.
 */
import { KIB } from '#protocol/limits';
import type { OutputFrame } from '#protocol/output-frame';

export interface BytesPiece extends OutputFrame {
  readonly kind: 'bytes';
}

/** Bytes [start, end) that are missing for ever. */
export interface GapPiece {
  readonly kind: 'gap';
  readonly start: number;
  readonly end: number;
  /** Where the gap begins: before `start`, where a window opens within it. */
  readonly begin: number;
}

export type Piece = BytesPiece | GapPiece;

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
  readonly piece: Piece;
  readonly size: Size;
}

/** Output comes byte by byte, or in large frames: it is kept in pieces of this size, and dropped by the piece. */
const PIECE_BYTES = 4 * KIB;
/** What a piece costs beside its bytes. */
const PIECE_WEIGHT = 128;
const NOTHING: Size = { weight: 0, newlines: 0, cells: 0 };
/** Of what may be kept of two joined windows, the share of the one that the reader is on their way to. */
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

  /** The offset of the first byte that has not come yet. */
  get next(): number {
    return this.#next;
  }

  /** Whether its first byte may be in the middle of a line. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Whether there is nothing in it but what is missing. */
  get isGap(): boolean {
    return this.#kept.every(({ piece }) => piece.kind === 'gap');
  }

  isWithin(bounds: WindowBounds): boolean {
    return isWithin(this.#size, bounds);
  }

  /** Takes a frame. Says 'hole' when bytes before it are missing: then it was not taken, and has to be asked for. */
  push(frame: OutputFrame): 'taken' | 'known' | 'hole' {
    const end = frame.start + frame.bytes.length;
    if (end <= this.#next) return 'known';
    if (frame.start > this.#next) return 'hole';
    const piece = { kind: 'bytes', ...frame } as const;
    while (this.#next < end) this.#append(this.#joined(slice(piece, this.#next, this.#next + PIECE_BYTES)));
    return 'taken';
  }

  /** Notes that the bytes up to `to` are missing for ever. @param begin and those from there on as well */
  gap(to: number, begin = this.#next): void {
    if (to <= this.#next) return;
    const gap = { kind: 'gap', start: this.#next, end: to, begin: Math.min(begin, this.#next) } as const;
    this.#append(this.#gapWithLast(gap));
  }

  /** What begins at `offset`, as far as one piece goes, or up to `limit`; null at the end. */
  read(offset: number, limit = Number.POSITIVE_INFINITY): Piece | null {
    const piece = this.#kept[this.#indexOf(offset)]?.piece;
    if (piece === undefined) return null;
    return piece.kind === 'gap' ? piece : slice(piece, offset, Math.min(limit, endOf(piece)));
  }

  /** Lets go of the pieces that lie before `offset`. */
  dropBefore(offset: number): void {
    this.#dropFirst(this.#indexOf(offset));
  }

  /** Lets go of the first pieces, until the others are within the bounds. */
  dropToFit(bounds: WindowBounds): void {
    let drop = 0;
    let size = this.#size;
    for (; drop < this.#kept.length - 1 && !isWithin(size, bounds); drop += 1) {
      size = difference(size, this.#kept[drop]?.size ?? NOTHING);
    }
    this.#dropFirst(drop);
  }

  /**
   * This window and the one that begins where it ends, as one: what is around that place stays, within the bounds.
   *
   * @param more where most of it is to be
   */
  joinedWith(later: OutputWindow, bounds: WindowBounds, more: 'before' | 'after'): OutputWindow {
    const share = (part: number) => ({ ...bounds, weight: bounds.weight * part, rows: bounds.rows * part });
    const [shareBefore, shareAfter] =
      more === 'before' ? [LARGE_SHARE, 1 - LARGE_SHARE] : [1 - LARGE_SHARE, LARGE_SHARE];
    const before = this.#kept.toReversed();
    const first = before.length - fitting(before, share(shareBefore));
    const joined = new OutputWindow(this.#start);
    joined.#isCut = this.#isCut;
    joined.#kept = [...this.#kept];
    joined.#size = this.#size;
    joined.#next = this.#next;
    for (const { piece } of later.#kept.slice(0, fitting(later.#kept, share(shareAfter)))) {
      if (piece.kind === 'gap') joined.gap(piece.end, piece.begin);
      else joined.#append(piece);
    }
    joined.#dropFirst(first);
    return joined;
  }

  #append(piece: Piece): void {
    const kept = { piece, size: sizeOf(piece) };
    this.#kept.push(kept);
    this.#size = sum(this.#size, kept.size);
    this.#next = endOf(piece);
  }

  /** One gap that was told in two parts is one. */
  #gapWithLast(gap: GapPiece): GapPiece {
    const last = this.#kept.at(-1);
    if (last?.piece.kind !== 'gap') return gap;
    this.#kept.pop();
    this.#size = difference(this.#size, last.size);
    return { ...gap, start: last.piece.start, begin: last.piece.begin };
  }

  /** The piece as it follows, or in one with the last, which it then takes the place of. */
  #joined(piece: BytesPiece): BytesPiece {
    const last = this.#kept.at(-1);
    if (last?.piece.kind !== 'bytes' || last.piece.stream !== piece.stream) return piece;
    if (last.piece.bytes.length + piece.bytes.length > PIECE_BYTES) return piece;
    this.#kept.pop();
    this.#size = difference(this.#size, last.size);
    const bytes = new Uint8Array(last.piece.bytes.length + piece.bytes.length);
    bytes.set(last.piece.bytes);
    bytes.set(piece.bytes, last.piece.bytes.length);
    return { ...piece, start: last.piece.start, bytes };
  }

  #dropFirst(count: number): void {
    if (count === 0) return;
    const gone = this.#kept.splice(0, count);
    const { piece } = lastOf(gone);
    this.#isCut = piece.kind === 'bytes' && piece.bytes.at(-1) !== NEWLINE;
    this.#start = endOf(piece);
    this.#size = gone.reduce((size, kept) => difference(size, kept.size), this.#size);
  }

  /** Of the piece that holds the byte, by bisection: a window may have thousands. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const kept = this.#kept[middle];
      if (kept !== undefined && endOf(kept.piece) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How many of the first pieces are within the bounds. */
function fitting(kept: readonly Kept[], bounds: WindowBounds): number {
  let size = NOTHING;
  const beyond = kept.findIndex((next) => {
    size = sum(size, next.size);
    return !isWithin(size, bounds);
  });
  return beyond === -1 ? kept.length : beyond;
}

function isWithin({ weight, newlines, cells }: Size, bounds: WindowBounds): boolean {
  // How each line wraps is not looked at: it may be fewer rows, never more.
  return weight <= bounds.weight && newlines + cells / bounds.columns <= bounds.rows;
}

function sizeOf(piece: Piece): Size {
  if (piece.kind === 'gap') return { weight: PIECE_WEIGHT, newlines: 2, cells: TAB_CELLS };
  let newlines = 0;
  let tabs = 0;
  for (const byte of piece.bytes) {
    if (byte === NEWLINE) newlines += 1;
    else if (byte === TAB) tabs += 1;
  }
  const { length } = piece.bytes;
  return { weight: length + PIECE_WEIGHT, newlines, cells: length + tabs * (TAB_CELLS - 1) };
}

function sum(a: Size, b: Size): Size {
  return { weight: a.weight + b.weight, newlines: a.newlines + b.newlines, cells: a.cells + b.cells };
}

function difference(a: Size, b: Size): Size {
  return { weight: a.weight - b.weight, newlines: a.newlines - b.newlines, cells: a.cells - b.cells };
}

/** The offset that follows the piece. */
export function endOf(piece: Piece): number {
  return piece.kind === 'gap' ? piece.end : piece.start + piece.bytes.length;
}

function slice(piece: BytesPiece, from: number, to: number): BytesPiece {
  return { ...piece, start: from, bytes: piece.bytes.subarray(from - piece.start, to - piece.start) };
}

function lastOf(kept: readonly Kept[]): Kept {
  const last = kept.at(-1);
  if (last === undefined) throw new Error('there is no last piece of none');
  return last;
}
