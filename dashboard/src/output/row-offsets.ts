/**
 * The offsets in the output of a terminal's rows: they find a row and the selection again after a rewrite, even if the
 * lines wrap differently.
 */
import type { IMarker, Terminal } from '@xterm/xterm';
import { KIB } from '#protocol/limits';
import { isContinued } from './whole-lines.ts';

/** How far apart rows with a known offset are. */
const ROW_SPACING_BYTES = 16 * KIB;

/** A row with a known offset in the output. */
interface RowOffset {
  readonly marker: IMarker;
  offset: number;
}

/** A row, wherever it will be: `lines` lines after the row at `offset`, and `rows` rows into that line. */
export interface Anchor {
  readonly offset: number;
  readonly lines: number;
  readonly rows: number;
}

export interface Selected {
  readonly anchor: Anchor;
  readonly column: number;
  /** In cells of rows that are `columns` wide. */
  readonly length: number;
  readonly columns: number;
}

export class RowOffsets {
  readonly #terminal: Terminal;
  #rows: RowOffset[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  clear(): void {
    this.#rows = [];
  }

  /** Records that the cursor's row is at the offset, if that is wanted or the last recorded row is far enough away. */
  note(offset: number, isWanted: boolean): void {
    const last = this.#rows.at(-1);
    const isFar = last === undefined || offset - last.offset >= ROW_SPACING_BYTES;
    if (!isWanted && !(isFar && this.#terminal.buffer.active.cursorX === 0)) return;
    this.#rows.push({ marker: this.#terminal.registerMarker(0), offset });
  }

  /** The rest of a line at `start` is left out: the first row is the first whole line. */
  skip(start: number, skipped: number): void {
    const [first] = this.#rows;
    if (first?.offset === start) first.offset += skipped;
  }

  /** Removes the rows that have left the terminal. Returns the offset of the first one left, if any were removed. */
  forget(): number | null {
    const before = this.#rows.length;
    this.#rows = this.#rows.filter(({ marker }) => !marker.isDisposed);
    const [first] = this.#rows;
    return first !== undefined && this.#rows.length < before ? first.offset : null;
  }

  anchorOf(row: number): Anchor | null {
    const known = this.#rows.findLast(({ marker }) => !marker.isDisposed && marker.line <= row);
    if (known === undefined) return null;
    const buffer = this.#terminal.buffer.active;
    let lines = 0;
    let rows = 0;
    for (let y = known.marker.line + 1; y <= row; y += 1) {
      if (isContinued(buffer, y)) {
        rows += 1;
      } else {
        lines += 1;
        rows = 0;
      }
    }
    return { offset: known.offset, lines, rows };
  }

  /** Where the anchor's row is now; null when it is not in the terminal. */
  rowOf(anchor: Anchor | null): number | null {
    const known = this.#rows.find(({ marker, offset }) => !marker.isDisposed && offset === anchor?.offset);
    if (anchor === null || known === undefined) return null;
    const buffer = this.#terminal.buffer.active;
    let y = known.marker.line;
    for (let lines = anchor.lines; lines > 0 && y < buffer.length; lines -= 1) {
      y += 1;
      while (isContinued(buffer, y)) y += 1;
    }
    for (let rows = anchor.rows; rows > 0 && isContinued(buffer, y + 1); rows -= 1) y += 1;
    return y;
  }

  /** The last known row's offset at or before this one; null when the terminal begins after it. */
  before(offset: number): number | null {
    return this.#rows.findLast((known) => !known.marker.isDisposed && known.offset <= offset)?.offset ?? null;
  }

  /** The selection; null if there is none. */
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
