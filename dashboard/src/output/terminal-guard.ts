/**
 * Keeps the output from overwriting the dashboard's own lines in a terminal.
 *
 * `terminal-text.ts` lets sequences through that move the cursor up, because progress displays use them. The cursor must
 * not move past one of the dashboard's own lines.
 */
import type { Terminal } from '@xterm/xterm';
import { rowMark } from './row-marks.ts';

type Parameters = readonly (number | number[])[];

export function guardOwnLines(terminal: Terminal): void {
  const buffer = () => terminal.buffer.active;
  const cursorLine = () => buffer().baseY + buffer().cursorY;
  const refuses = (target: number) => hasOwnLine(terminal, target, cursorLine());
  // `true` means that it was handled: xterm.js then doesn't execute it.
  for (const final of ['A', 'F']) {
    terminal.parser.registerCsiHandler({ final }, (parameters) =>
      refuses(cursorLine() - Math.max(1, first(parameters))),
    );
  }
  for (const final of ['H', 'f', 'd']) {
    terminal.parser.registerCsiHandler({ final }, (parameters) =>
      refuses(buffer().baseY + Math.max(1, first(parameters)) - 1),
    );
  }
}

function hasOwnLine(terminal: Terminal, from: number, to: number): boolean {
  const buffer = terminal.buffer.active;
  const cell = buffer.getNullCell();
  for (let y = Math.max(0, from); y < to; y += 1) {
    const line = buffer.getLine(y);
    if (line !== undefined && rowMark(line, cell) === 'ours') return true;
  }
  return false;
}

function first([parameter]: Parameters): number {
  return typeof parameter === 'number' ? parameter : 0;
}
