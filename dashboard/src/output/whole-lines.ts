/** A terminal's rows as the lines that were printed, however they are wrapped. */
import type { IBuffer } from '@xterm/xterm';

/** Whether the row goes on with the line of the row before it. */
export function isContinued(buffer: IBuffer, y: number): boolean {
  return buffer.getLine(y)?.isWrapped ?? false;
}

/** All that the terminal holds, each line in one piece. */
export function wholeText(buffer: IBuffer): string {
  let text = '';
  for (let y = 0; y < buffer.length; y += 1) {
    const line = buffer.getLine(y)?.translateToString(!isContinued(buffer, y + 1)) ?? '';
    text += y === 0 || isContinued(buffer, y) ? line : `\n${line}`;
  }
  return `${text.trimEnd()}\n`;
}
