/** Fitting text into a service's limits, so that it shows that something is missing. */

const MARK = '…';

/** How a service counts: UTF-16 units, as most do, or the bytes of UTF-8. */
export type Measure = (text: string) => number;
export const inChars: Measure = (text) => text.length;
export const inBytes: Measure = (text) => Buffer.byteLength(text);

/** The beginning of a text, with `…` at its end if it is cut. */
export function truncate(text: string, max: number, measure: Measure = inChars): string {
  if (measure(text) <= max) return text;
  return `${fitting([...text], max - measure(MARK), measure).join('')}${MARK}`;
}

/** The end of a text, from the beginning of a line, below `…` if it is cut. */
export function lastLines(text: string, max: number, measure: Measure = inChars): string {
  if (measure(text) <= max) return text;
  const kept = fitting([...text].toReversed(), max - measure(`${MARK}\n`), measure)
    .toReversed()
    .join('');
  const lineStart = kept.indexOf('\n') + 1;
  // One line that is too long by itself is better than none.
  return lineStart === 0 || lineStart === kept.length ? `${MARK}${kept}` : `${MARK}\n${kept.slice(lineStart)}`;
}

/** As many of the characters, which are never split, as fit. */
function fitting(characters: readonly string[], max: number, measure: Measure): readonly string[] {
  let size = 0;
  const end = characters.findIndex((character) => {
    size += measure(character);
    return size > max;
  });
  return end === -1 ? characters : characters.slice(0, end);
}
