/** A command line as it is reported: one string, truncated to the protocol's limit. */
import { MAX_COMMAND_LINE_BYTES } from '#protocol/limits';
import { hasUndecodable, shown } from '../host/undecodable-bytes.ts';

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;
const CUT_MARK = '…';

/** The words as one line, quoted where a shell needs it; what is not UTF-8 as bash's `$'caf\xe9'`. */
export function commandLine(command: readonly string[]): string {
  return command.map(quoted).join(' ');
}

function quoted(word: string): string {
  if (PLAIN.test(word)) return word;
  if (hasUndecodable(word)) return `$'${shown(word.replace(/[\\']/g, '\\$&'))}'`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Truncates a long line between characters. Redact it first: half of a secret is not recognised. */
export function cutCommandLine(text: string, maxBytes = MAX_COMMAND_LINE_BYTES): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes.toString();
  if (maxBytes === 0) return '';
  // A character cut in half would decode to the three bytes of U+FFFD, and the text could grow past the limit.
  let end = maxBytes - Buffer.byteLength(CUT_MARK);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString() + CUT_MARK;
}
