/** How many columns of a terminal some text takes. Colours take none. */
import { stripVTControlCharacters } from 'node:util';

/** What a terminal draws over two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;
const ASCII = /^[ -~]*$/;

export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (ASCII.test(plain)) return plain.length;
  let width = 0;
  for (const character of plain) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** At most `columns` wide: what is longer ends in `…`. The colours at its end are kept. */
export function truncateText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let width = 0;
  let shown = '';
  for (const part of text.match(PARTS) ?? []) {
    const isColour = part.length > 1 && part.startsWith('\u001b');
    width += isColour ? 0 : characterWidth(part);
    if (isColour || width < columns) shown += part;
    else if (!shown.includes('…')) shown += '…';
  }
  return shown;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const PARTS = /\u001b\[[\d;]*m|[\s\S]/gu;
