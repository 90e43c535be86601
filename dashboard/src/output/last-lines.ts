/** The end of what a stream has printed, as plain lines. Pure. */
import { TerminalText } from './terminal-text.ts';

/**
 * The last lines that say anything, without colours and other controls. What a return to the beginning of the line has
 * overwritten, as in a progress bar, is left out.
 */
export function lastLines(text: string, count: number): string[] {
  let plain = '';
  for (const token of new TerminalText().read(text)) {
    if (token.kind === 'text' || (token.kind === 'control' && token.text !== '\b')) plain += token.text;
  }
  return plain
    .split('\n')
    .map((line) => (line.split('\r').findLast((part) => part !== '') ?? '').trimEnd())
    .filter((line) => line !== '')
    .slice(-count);
}
