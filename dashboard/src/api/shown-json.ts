/**
 * What the control plane sends holds other people's words: names, reasons, command lines, what a machine says of itself.
 * Characters in it that cannot be seen, or that turn the direction of text, are made visible here, before anything shows
 * them. What jobs print comes as bytes, and is the terminal's to guard.
 */
import { hasInvisible, showInvisible } from '#protocol/invisible-characters';

const KEPT = '\t\n\r';
/** JSON writes controls so. */
const ESCAPED = /\\[bfu]/;

/** JSON with every such character in a string replaced by a mark such as `<U+202E>`. What is not JSON stays as it is. */
export function showJson(text: string): string {
  if (!hasInvisible(text) && !ESCAPED.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text, show));
  } catch {
    // Only JSON.parse throws here: whoever reads it says so.
    return text;
  }
}

function show(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? showInvisible(value, KEPT) : value;
}
