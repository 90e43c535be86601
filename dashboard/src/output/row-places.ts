/**
 * Which rows of a terminal stand where in the log: by that a row, and what is selected, is found again when all of it has
 * been written anew, however it is wrapped then.
 */
import type { IMarker, Terminal } from '@xterm/xterm';
import { KIB } from '#protocol/limits';
import { isContinued } from './whole-lines.ts';

/** How far places of which the offset is known lie apart. */
const PLACE_BYTES = 16 * KIB;

/** A row of which the offset in the log is known. */
interface Place {
  readonly marker: IMarker;
  offset: number;
}

/** A row, wherever it will be: so many lines after a place, and so many rows into that line. */
export interface Anchor {
  readonly offset: number;
  readonly lines: number;
  readonly rows: number;
}

export interface Selected {
  readonly anchor: Anchor;
  readonly column: number;
  /** In cells of rows that are so wide. */
  readonly length: number;
  readonly columns: number;
}

export class RowPlaces {
  readonly #terminal: Terminal;
  #places: Place[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get isEmpty(): boolean {
    return this.#places.length === 0;
  }

  clear(): void {
    this.#places = [];
  }

  /** The cursor's row is where the offset is. Not each such row becomes a place, unless it is wanted as one. */
  note(offset: number, isWanted: boolean): void {
    const last = this.#places.at(-1);
    const isFar = last === undefined || offset - last.offset >= PLACE_BYTES;
    if (!isWanted && !(isFar && this.#terminal.buffer.active.cursorX === 0)) return;
    this.#places.push({ marker: this.#terminal.registerMarker(0), offset });
  }

  /** What begins at `start` is the rest of a line, and left out: the first row is the first whole line. */
  skip(start: number, skipped: number): void {
    const [first] = this.#places;
    if (first?.offset === start) first.offset += skipped;
  }

  /** Lets go of the places that have left the terminal. Returns what it begins with by now, if any have. */
  forget(): number | null {
    const before = this.#places.length;
    this.#places = this.#places.filter(({ marker }) => !marker.isDisposed);
    const [first] = this.#places;
    return first !== undefined && this.#places.length < before ? first.offset : null;
  }

  anchorOf(row: number): Anchor | null {
    const place = this.#places.findLast(({ marker }) => !marker.isDisposed && marker.line <= row);
    if (place === undefined) return null;
    const buffer = this.#terminal.buffer.active;
    let lines = 0;
    let rows = 0;
    for (let y = place.marker.line + 1; y <= row; y += 1) {
      if (isContinued(buffer, y)) {
        rows += 1;
      } else {
        lines += 1;
        rows = 0;
      }
    }
    return { offset: place.offset, lines, rows };
  }

  /** Where the anchor's row is now; null when it is not in the terminal. */
  rowOf(anchor: Anchor | null): number | null {
    const place = this.#places.find(({ marker, offset }) => !marker.isDisposed && offset === anchor?.offset);
    if (anchor === null || place === undefined) return null;
    const buffer = this.#terminal.buffer.active;
    let y = place.marker.line;
    for (let lines = anchor.lines; lines > 0 && y < buffer.length; lines -= 1) {
      y += 1;
      while (isContinued(buffer, y)) y += 1;
    }
    for (let rows = anchor.rows; rows > 0 && isContinued(buffer, y + 1); rows -= 1) y += 1;
    return y;
  }

  /** The last place at or before the offset; null when the terminal begins after it. */
  before(offset: number): number | null {
    return this.#places.findLast((place) => !place.marker.isDisposed && place.offset <= offset)?.offset ?? null;
  }

  /** What is selected; null when nothing is. */
  selected(): Selected | null {
    const position = this.#terminal.getSelectionPosition();
    const anchor = position === undefined ? null : this.anchorOf(position.start.y);
    if (position === undefined || anchor === null) return null;
    const { start, end } = position;
    const { cols: columns } = this.#terminal;
    return { anchor, column: start.x, length: (end.y - start.y) * columns + end.x - start.x, columns };
  }

  select({ anchor, column, length, columns }: Selected): void {
    const row = this.rowOf(anchor);
    if (row !== null && columns === this.#terminal.cols) this.#terminal.select(column, row, length);
  }
}
