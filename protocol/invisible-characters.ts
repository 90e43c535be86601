/**
 * Characters that show nothing of themselves and change what one reads: controls, direction overrides ("Trojan Source"),
 * zero-width and other ignorable characters, tags, line and paragraph separators, halves of surrogate pairs. What a
 * person reads and decides by is shown through here; names that people give are refused with one.
 */

/** What makes an emoji of a character, or one of several, is part of it: after anything else it hides. */
const INVISIBLE =
  /(?!(?<=\p{Extended_Pictographic})\uFE0F|(?<=\p{Extended_Pictographic}\uFE0F?)\u200D(?=\p{Extended_Pictographic}))[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Whether there is one in it. */
export function hasInvisible(text: string): boolean {
  return text.search(INVISIBLE) >= 0;
}

/**
 * The text with a visible mark such as `<U+202E>` in place of each.
 *
 * @param kept characters that are left as they are, such as `'\n\t'`
 */
export function showInvisible(text: string, kept = ''): string {
  return text.replace(INVISIBLE, (character) => (kept.includes(character) ? character : markOf(character)));
}

function markOf(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  return `<U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}>`;
}
