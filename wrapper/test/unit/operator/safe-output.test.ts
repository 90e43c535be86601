import { describe, expect, test } from 'vitest';
import { OutputPrinter } from '../../../src/operator/logs/output-printer.ts';
import { lastLinesStart } from '../../../src/operator/logs/tail.ts';
import { SafeText } from '../../../src/operator/screen/safe-text.ts';

const bytes = (text: string) => Buffer.from(text);

/** What a terminal is sent when the output arrives in these chunks. */
function shown(chunks: readonly Uint8Array[]): string {
  const text = new SafeText();
  return chunks.map((chunk) => text.push(chunk)).join('') + text.end();
}

const ESC = '\u001b';

test.each([
  ['plain text, tabs and line breaks', 'a\tb\nč 日本 👍🏽\n', 'a\tb\nč 日本 👍🏽\n'],
  ['colours', `${ESC}[1;31mred${ESC}[0m ${ESC}[38;2;1;2;3mx${ESC}[m`, 'red x'],
  ['clearing the screen', `${ESC}[2J${ESC}[H$ `, '<U+001B>[2J<U+001B>[H$ '],
  ['a window title', `${ESC}]0;pwned\u0007`, '<U+001B>]0;pwned<U+0007>'],
  ['a question to the terminal', `${ESC}[6n${ESC}P$q"p${ESC}\\`, '<U+001B>[6n<U+001B>P$q"p<U+001B>\\'],
  ['C1 controls in UTF-8', '\u009b2J\u0085', '<U+009B>2J<U+0085>'],
  ['a progress display', '10%\r20%\r\nend\r', '10%\n20%\nend\n'],
  ['backspaces and bells', 'a\b\u0007\0', 'a<U+0008><U+0007><U+0000>'],
  ['text that changes its direction', 'a\u202eb\u200bc', 'a<U+202E>b<U+200B>c'],
  ['an escape at the end', `a${ESC}`, 'a<U+001B>'],
  ['an unfinished colour at the end', `a${ESC}[3`, 'a<U+001B>[3'],
])('%s: the same, however it is cut into chunks', (_, text, expected) => {
  const all = bytes(text);
  expect(shown([all])).toBe(expected);
  expect(shown([...all].map((byte) => Uint8Array.of(byte)))).toBe(expected);
  for (let at = 1; at < all.length; at += 1) expect(shown([all.subarray(0, at), all.subarray(at)])).toBe(expected);
});

test('bytes that are not UTF-8 are shown as replacements, never sent as they are', () => {
  // 0x9b alone would be the control CSI for some terminals.
  expect(shown([Uint8Array.of(0x61, 0x9b, 0x32, 0x4a, 0xff)])).toBe('a\ufffd2J\ufffd');
});

test('a long sequence of digits is not held back for ever', () => {
  const text = new SafeText();
  expect(text.push(bytes(`${ESC}[${'1'.repeat(100)}`))).toBe(`<U+001B>[${'1'.repeat(100)}`);
});

describe('the output of a run', () => {
  function printed(options: { isSafe: boolean; prefix: string }, frames: ['stdout' | 'stderr', string][]) {
    const written: Buffer[] = [];
    const printer = new OutputPrinter({ ...options, write: (part) => written.push(Buffer.from(part)) });
    for (const [stream, text] of frames) printer.frame({ stream, bytes: Buffer.from(text, 'latin1') });
    const before = Buffer.concat(written).toString('latin1');
    printer.end();
    return [before, Buffer.concat(written).toString('latin1').slice(before.length)];
  }

  test('is printed byte by byte to a program', () => {
    const text = `\u0000\u009b\u00ff${ESC}[2Jx\r`;
    expect(printed({ isSafe: false, prefix: '' }, [['stdout', text]])).toEqual([text, '']);
  });

  test('among others is printed in whole lines, each marked with its run', () => {
    const frames: ['stdout' | 'stderr', string][] = [
      ['stdout', 'on'],
      ['stderr', 'oops\n'],
      ['stdout', 'e\n\ntw'],
    ];
    expect(printed({ isSafe: false, prefix: 'm1 | ' }, frames)).toEqual(['m1 | oops\nm1 | one\nm1 | \n', 'm1 | tw\n']);
    expect(printed({ isSafe: true, prefix: 'm1 | ' }, [['stdout', 'a\rb\r\n\u0007']])).toEqual([
      'm1 | a\nm1 | b\n',
      'm1 | <U+0007>\n',
    ]);
  });

  test('keeps the characters of its two streams apart', () => {
    const [e1, e2] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)].map((b) => b.toString('latin1'));
    const [now] = printed({ isSafe: true, prefix: '' }, [
      ['stdout', e1 ?? ''],
      ['stderr', 'x'],
      ['stdout', e2 ?? ''],
    ]);
    expect(Buffer.from(now ?? '', 'latin1').toString()).toBe('xé');
  });
});

test.each([
  ['a\nb\nc\n', 2, 'b\nc\n'],
  ['a\nb\nc', 2, 'b\nc'],
  ['a\n\n\n', 2, '\n\n'],
  ['a\nb\n', 0, ''],
  ['a\nb\n', 2, null],
  ['', 1, null],
])('of %j the last %i lines', (text, lines, expected) => {
  const start = lastLinesStart(bytes(text), lines);
  expect(start === null ? null : text.slice(start)).toBe(expected);
});
