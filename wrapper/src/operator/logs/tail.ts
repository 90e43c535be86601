/** Where the last lines of some output begin. Pure. */

const NEWLINE = 0x0a;

/**
 * Where the last `lines` lines of `bytes` begin; a last line without a line break counts.
 *
 * @returns null when `bytes` has fewer lines: more of the output has to be read, or there is no more
 */
export function lastLinesStart(bytes: Uint8Array, lines: number): number | null {
  if (lines === 0) return bytes.length;
  let seen = 0;
  // The line break at the very end belongs to the last line.
  for (let at = bytes.length - 2; at >= 0; at -= 1) {
    if (bytes[at] !== NEWLINE) continue;
    seen += 1;
    if (seen === lines) return at + 1;
  }
  return null;
}
