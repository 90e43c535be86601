/** The last lines of a run's output, as text that any receiver can show. Pure. */
import type { OutputTail } from '../../shared/output-tail.ts';

const MAX_LINES = 15;
const MAX_LINE_CHARS = 300;

/** Escape sequences of terminals: colours, cursor movements, titles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Null if nothing was printed. */
export function lastLines({ text, isCut }: OutputTail): string | null {
  const lines = text.replaceAll(ESCAPES, '').replaceAll('\r\n', '\n').split('\n').map(asShown);
  // The first one lacks its beginning.
  const whole = isCut && lines.length > 1 ? lines.slice(1) : lines;
  const shown = whole.join('\n').trimEnd().split('\n').slice(-MAX_LINES).join('\n');
  return shown.trim() === '' ? null : shown;
}

/** A progress bar rewrites its line: what it showed last is what counts. */
function asShown(line: string): string {
  const last = line.split('\r').findLast((part) => part !== '') ?? '';
  const plain = last.replaceAll(CONTROLS, '');
  return plain.length > MAX_LINE_CHARS ? `${plain.slice(0, MAX_LINE_CHARS - 1)}…` : plain;
}
