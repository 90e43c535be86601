/** What an operator's subcommand prints: text for people, or JSON for programs. */
import type { Environment } from '../config/config-file.ts';
import { hasCode } from '../host/error-code.ts';
import { ownLine, printable } from '../logging/log.ts';
import { type Column, tableLines } from './table.ts';
import { openTerminal, type Style, styled, type Terminal } from './terminal.ts';

/** A part of a line. Its text may be from elsewhere: it is made printable. */
export type Part = string | { readonly text: string; readonly style: Style | null };

/** What a shell reports of a program whose reader was gone (SIGPIPE). */
const EXIT_NO_READER = 141;

export class Output {
  readonly terminal: Terminal;

  constructor(env: Environment) {
    this.terminal = openTerminal(process.stdout, env);
  }

  /** A line of text on stdout. */
  line(...parts: readonly Part[]): void {
    const texts = parts.map((part) =>
      typeof part === 'string' ? printable(part) : styled(this.terminal, part.style, printable(part.text)),
    );
    process.stdout.write(`${texts.join('')}\n`);
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    const lines = tableLines(columns, rows, this.terminal);
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** Names and values, one below the other. Those without a value are left out. */
  fields(fields: readonly (readonly [name: string, value: Part | null])[]): void {
    const shown = fields.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value] of shown) this.line({ text: name.padEnd(width), style: 'dim' }, '  ', value);
  }

  /** A whole document, indented for readers. */
  json(value: unknown): void {
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One of many documents, one a line. */
  jsonLine(value: unknown): void {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A line beside the result, on stderr: it does not get into what a program reads. */
  note(text: string): void {
    process.stderr.write(ownLine(text));
  }

  /** A line on what is done. With `--json` it is a note: stdout has the JSON alone. */
  progress(text: string, asJson: boolean): void {
    if (asJson) this.note(text);
    else this.line(text);
  }
}

/** Ends this process, as SIGPIPE would, when the reader of stdout has gone: `leash ps | head -1`. */
export function exitWithoutReader(): void {
  process.stdout.on('error', (error) => {
    if (hasCode(error, 'EPIPE')) process.exit(EXIT_NO_READER);
    throw error;
  });
  // What is said on stderr is not worth failing for.
  process.stderr.on('error', () => {});
}

/** Resolves when the reader of stdout has got everything: what is left in memory would be lost at the exit. */
export async function allWritten(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => resolve());
  });
}
