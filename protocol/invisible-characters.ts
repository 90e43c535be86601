/**
 * Characters that are invisible or change how text is shown: controls, direction overrides ("Trojan Source"), zero-width and
 * other ignorable characters, tags, line and paragraph separators, lone surrogates. Text that people decide by is escaped;
 * names that contain such a character are refused.
 */

/** A variation selector or joiner is allowed within an emoji only. */
const INVISIBLE =
  /(?!(?<=\p{Extended_Pictographic})\uFE0F|(?<=\p{Extended_Pictographic}\uFE0F?)\u200D(?=\p{Extended_Pictographic}))[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

export function hasInvisible(text: string): boolean {
  return text.search(INVISIBLE) >= 0;
}

/** Escapes each as `<U+202E>`. @param kept characters that are not escaped, such as `'\n\t'` */
export function showInvisible(text: string, kept = ''): string {
  return text.replace(INVISIBLE, (character) => (kept.includes(character) ? character : markOf(character)));
}

function markOf(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  return `<U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}>`;
}
