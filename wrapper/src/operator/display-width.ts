/** How many columns of a terminal text takes. */

/** East Asian characters that are wide or full width, and pictures that terminals draw in two columns. */
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]/u;
/** Drawn over what is before them. */
const COMBINING = /[\p{Mn}\p{Me}\p{Cf}]/u;
const EMOJI_SELECTOR = '\uFE0F';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** @param text one line, without control characters (`printable`) */
export function displayWidth(text: string): number {
  // Nearly all of what is shown.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += widthOf(segment);
  return width;
}

/** Cuts text that is wider than `columns`, with `…` at its end. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    width += widthOf(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return columns < 1 ? '' : `${kept.trimEnd()}…`;
}

/** @param character what a reader takes for one, which may be several code points */
function widthOf(character: string): number {
  if (WIDE.test(character) || character.includes(EMOJI_SELECTOR)) return 2;
  return [...character].every((each) => COMBINING.test(each)) ? 0 : 1;
}
