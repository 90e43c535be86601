/** The gutter next to a terminal: marks the rows that stderr or the dashboard itself wrote to. */
import type { IBufferCell, IBufferLine, Terminal } from '@xterm/xterm';

export type RowMark = 'none' | 'stderr' | 'ours';

export class RowMarks {
  readonly #gutter: HTMLElement;
  #marks: RowMark[] = [];

  constructor(gutter: HTMLElement) {
    this.#gutter = gutter;
  }

  draw(terminal: Terminal, cellHeight: number): void {
    const buffer = terminal.buffer.active;
    const cell = buffer.getNullCell();
    this.#gutter.style.setProperty('--cell-height', `${cellHeight}px`);
    while (this.#gutter.childElementCount < terminal.rows) this.#gutter.append(document.createElement('i'));
    while (this.#gutter.childElementCount > terminal.rows) this.#gutter.lastElementChild?.remove();
    this.#marks = Array.from(this.#gutter.children, (child, row) => {
      const line = buffer.getLine(buffer.viewportY + row);
      const mark = line === undefined ? 'none' : rowMark(line, cell);
      if (mark !== this.#marks[row]) child.className = mark;
      return mark;
    });
  }
}

/** As `output-text.ts` marks its cells. */
export function rowMark(line: IBufferLine, cell: IBufferCell): RowMark {
  for (let x = 0; x < line.length; x += 1) {
    if (line.getCell(x, cell) === undefined) break;
    if (cell.isOverline()) return 'ours';
    if (cell.isBlink()) return 'stderr';
  }
  return 'none';
}
