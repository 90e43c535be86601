import { expect, test } from 'vitest';
import { hasInvisible, showInvisible } from '../invisible-characters.ts';

const RANGES: readonly (readonly [what: string, first: number, last: number])[] = [
  ['C0 controls', 0x00, 0x1f],
  ['DEL and C1 controls', 0x7f, 0x9f],
  ['the soft hyphen', 0xad, 0xad],
  ['the Arabic letter mark', 0x61c, 0x61c],
  ['Hangul fillers', 0x115f, 0x1160],
  ['zero-width characters and directional marks', 0x200b, 0x200f],
  ['line and paragraph separators', 0x2028, 0x2029],
  ['directional embeddings and overrides', 0x202a, 0x202e],
  ['invisible operators and directional isolates', 0x2060, 0x206f],
  ['variation selectors', 0xfe00, 0xfe0f],
  ['the byte order mark', 0xfeff, 0xfeff],
  ['interlinear annotations', 0xfff9, 0xfffb],
  ['tags', 0xe0000, 0xe007f],
  ['more variation selectors', 0xe0100, 0xe01ef],
  ['halves of surrogate pairs', 0xd800, 0xdfff],
];

test.each(RANGES)('%s are shown by their code points', (_what, first, last) => {
  for (let code = first; code <= last; code++) {
    const text = `a${String.fromCodePoint(code)}b`;
    expect(hasInvisible(text)).toBe(true);
    expect(showInvisible(text)).toBe(`a<U+${code.toString(16).toUpperCase().padStart(4, '0')}>b`);
  }
});

test.each(['', 'backup --all', 'Größe 5 µm, 10 €', 'نسخة', '备份', '❤️ 👩‍🚒 ⚠️', '𝒳', 'a\u00a0b'])(
  '%j is left as it is',
  (text) => {
    expect(hasInvisible(text)).toBe(false);
    expect(showInvisible(text)).toBe(text);
  },
);

test('what joins emoji hides in other text', () => {
  expect(showInvisible('back\u200Dup\uFE0F')).toBe('back<U+200D>up<U+FE0F>');
});

test('what the caller keeps stays', () => {
  expect(showInvisible('a\n\tb\r\u202E', '\n\t')).toBe('a\n\tb<U+000D><U+202E>');
});
