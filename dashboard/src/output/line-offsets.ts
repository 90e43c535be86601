/** The offsets at which a window's lines begin, to convert between the terminal's rows and the output's bytes. */
import type { StreamChoice } from './output-text.ts';
import { endOf, type OutputWindow } from './output-window.ts';

const NEWLINE = 0x0a;

/** The offset of the line that is `lines` lines after the one that begins at `from`. */
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

/** How many lines the one that holds `to` is after the one that begins at `from`. */
export function linesBetween(window: OutputWindow, from: number, to: number, choice: StreamChoice): number {
  let lines = 0;
  for (const start of lineStarts(window, from, choice)) {
    if (start > to) break;
    lines += 1;
  }
  return lines;
}

/** The offsets of the lines after `from`, where one begins. A gap is a line, as `output-text.ts` writes it. */
function* lineStarts(window: OutputWindow, from: number, choice: StreamChoice): Generator<number> {
  let isAtLineStart = true;
  for (let part = window.read(from); part !== null; part = window.read(endOf(part))) {
    if (part.kind === 'gap') {
      if (!isAtLineStart) yield part.start;
      yield part.end;
      isAtLineStart = true;
    } else if (choice === 'both' || choice === part.stream) {
      const { bytes, start } = part;
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) yield start + at + 1;
      isAtLineStart = bytes.at(-1) === NEWLINE;
    }
  }
}
