/** Where in a window the lines of the terminal begin: what the terminal has rows of, the log has bytes of. */
import type { StreamChoice } from './output-text.ts';
import { endOf, type OutputWindow } from './output-window.ts';

const NEWLINE = 0x0a;

/** The offset at which the line begins that comes so many lines after the one that begins at `from`. */
export function offsetOfLine(window: OutputWindow, from: number, lines: number, choice: StreamChoice): number {
  let offset = from;
  let left = lines;
  for (const start of lineStarts(window, from, choice)) {
    if (left === 0) break;
    offset = start;
    left -= 1;
  }
  return offset;
}

/** How many lines after the one that begins at `from` the one that holds `to` is. */
export function linesBetween(window: OutputWindow, from: number, to: number, choice: StreamChoice): number {
  let lines = 0;
  for (const start of lineStarts(window, from, choice)) {
    if (start > to) break;
    lines += 1;
  }
  return lines;
}

/** The offsets of the lines after `from`, where one begins. As `output-text.ts` writes them: a gap is a line. */
function* lineStarts(window: OutputWindow, from: number, choice: StreamChoice): Generator<number> {
  let isAtLineStart = true;
  for (let piece = window.read(from); piece !== null; piece = window.read(endOf(piece))) {
    if (piece.kind === 'gap') {
      if (!isAtLineStart) yield piece.start;
      yield piece.end;
      isAtLineStart = true;
    } else if (choice === 'both' || choice === piece.stream) {
      const { bytes, start } = piece;
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) yield start + at + 1;
      isAtLineStart = bytes.at(-1) === NEWLINE;
    }
  }
}
