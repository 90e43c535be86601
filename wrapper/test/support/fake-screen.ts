/** A terminal that knows the sequences that we send, for text whose characters are one column wide. It doesn't wrap. */
import type { Screen } from '../../src/operator/screen/live-region.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches control sequences
const TOKENS = /\u001b\[([?\d;]*)([A-Za-z])|\r|\n|[^\u001b\r\n]+/g;

export class FakeScreen implements Screen {
  columns: number;
  rows: number;
  hasCursor = true;
  writes = 0;
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  /** Everything that was written, also what has scrolled away; without the empty line of the cursor. */
  get lines(): readonly string[] {
    return this.#lines.at(-1) === '' ? this.#lines.slice(0, -1) : this.#lines;
  }

  write(text: string): void {
    this.writes += 1;
    for (const [token, parameters, command] of text.matchAll(TOKENS)) {
      if (command !== undefined) this.#control(command, parameters ?? '');
      else if (token === '\r') this.#column = 0;
      else if (token === '\n') this.#newLine();
      else this.#print(token);
    }
  }

  get #line(): string {
    return this.#lines[this.#row] ?? '';
  }

  #newLine(): void {
    this.#row += 1;
    this.#column = 0;
    this.#lines[this.#row] ??= '';
  }

  #print(text: string): void {
    const line = this.#line.slice(0, this.#column) + text + this.#line.slice(this.#column + text.length);
    if (line.length > this.columns) throw new Error(`a line is wider than ${this.columns} columns: ${line}`);
    this.#lines[this.#row] = line;
    this.#column += text.length;
  }

  #control(command: string, parameters: string): void {
    if (parameters === '?25') this.hasCursor = command === 'h';
    else if (command === 'A') this.#up(Number(parameters));
    else if (command === 'K') this.#lines[this.#row] = this.#line.slice(0, this.#column);
    else if (command === 'J') this.#lines = [...this.#lines.slice(0, this.#row), this.#line.slice(0, this.#column)];
  }

  #up(rows: number): void {
    const top = Math.max(0, this.#lines.length - this.rows);
    if (this.#row - rows < top) throw new Error('a line that has scrolled away would be redrawn');
    this.#row -= rows;
  }
}
