/** A terminal's rows as the lines that were printed, with wrapped lines joined. */
import type { IBuffer } from '@xterm/xterm';

/** Whether the row continues the line of the row before it. */
export function isContinued(buffer: IBuffer, y: number): boolean {
  return buffer.getLine(y)?.isWrapped ?? false;
}

/** All that the terminal holds. */
export function wholeText(buffer: IBuffer): string {
  return `${textOf(buffer, 0, buffer.length).trimEnd()}\n`;
}

/** The same in two parts; the second begins with the row's line. */
export function wholeTextAround(buffer: IBuffer, row: number): [before: string, after: string] {
  let first = row;
  while (isContinued(buffer, first)) first -= 1;
  return [first === 0 ? '' : `${textOf(buffer, 0, first)}\n`, `${textOf(buffer, first, buffer.length).trimEnd()}\n`];
}

function textOf(buffer: IBuffer, from: number, to: number): string {
  let text = '';
  for (let y = from; y < to; y += 1) {
    const line = buffer.getLine(y)?.translateToString(!isContinued(buffer, y + 1)) ?? '';
    text += y === from || isContinued(buffer, y) ? line : `\n${line}`;
  }
  return text;
}
