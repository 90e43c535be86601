/**
 * Lines at the bottom of a terminal that are redrawn in place. Lines that are final are printed above them, once.
 *
 * The region is never higher than the screen: what has scrolled away can't be redrawn.
 */
import { stripVTControlCharacters } from 'node:util';
import { displayWidth, truncate } from '../display-width.ts';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
/** A terminal shows what is between the two at once; one that doesn't know them ignores them. */
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';
const CLEAR_TO_END_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export class LiveRegion {
  readonly #screen: Screen;
  /** The widths of the lines that are drawn: in a window that has become narrower they take more rows. */
  #drawn: readonly number[] = [];
  #isOpen = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** How many lines it can have. */
  get height(): number {
    return Math.max(1, this.#screen.rows - 1);
  }

  /** Replaces the lines. @param above lines that are printed before them, and stay */
  draw(lines: readonly string[], above: readonly string[] = []): void {
    const shown = lines.slice(0, this.height).map((line) => this.#fitted(line));
    const text = [...above, ...shown].map((line) => `${line}${CLEAR_TO_END_OF_LINE}\n`).join('');
    const hide = this.#isOpen ? '' : HIDE_CURSOR;
    this.#isOpen = true;
    this.#screen.write(`${BEGIN_UPDATE}${hide}${this.#back()}${text}${CLEAR_BELOW}${END_UPDATE}`);
    this.#drawn = shown.map(widthOf);
  }

  /** Leaves the lines as they are, and shows the cursor again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#drawn = [];
    this.#screen.write(SHOW_CURSOR);
  }

  /** To the beginning of the first line. */
  #back(): string {
    const columns = Math.max(1, this.#screen.columns);
    const rows = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return rows === 0 ? '\r' : `\r\u001b[${rows}A`;
  }

  /** A line that is too wide would take two rows. It loses its colours. */
  #fitted(line: string): string {
    const { columns } = this.#screen;
    return widthOf(line) <= columns ? line : truncate(stripVTControlCharacters(line), columns);
  }
}

function widthOf(line: string): number {
  return displayWidth(stripVTControlCharacters(line));
}
