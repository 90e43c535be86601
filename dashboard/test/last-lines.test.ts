import { expect, test } from 'vitest';
import { lastLines } from '../src/output/last-lines.ts';

const ESC = '\u001b';

test('the last lines that say anything, as plain text', () => {
  expect(lastLines('', 3)).toEqual([]);
  expect(lastLines('one\n\ntwo\nthree\n\n', 2)).toEqual(['two', 'three']);
  expect(lastLines(`${ESC}[31mno space left${ESC}[0m on device`, 2)).toEqual(['no space left on device']);
});

test('of a progress bar, what it said last', () => {
  expect(lastLines('10 %\r20 %\r100 %\r\nfailed\n', 5)).toEqual(['100 %', 'failed']);
});
