import { describe, expect, test } from 'vitest';
import type { StreamName } from '#protocol/output-frame';
import { linesBetween, offsetOfLine } from '../src/output/line-offsets.ts';
import { OutputWindow } from '../src/output/output-window.ts';
import { beginningOf, keyStep, openingFor } from '../src/pages/run/output-positions.ts';

const NO_MODIFIER = { ctrlKey: false, metaKey: false, altKey: false };
const GAPS = [{ start: 100, end: 200 }];
const step = (key: string, from: number) => keyStep({ ...NO_MODIFIER, key }, from, 1000, GAPS);

test('a key moves a hundredth of the output, or a tenth, and never beyond its ends', () => {
  expect(['ArrowLeft', 'ArrowRight', 'PageDown', 'PageUp', 'Home', 'End'].map((key) => step(key, 500))).toEqual([
    490, 510, 400, 600, 0, 1000,
  ]);
  expect([step('ArrowLeft', 3), step('PageUp', 950)]).toEqual([0, 1000]);
  expect(step('k', 500)).toBe(null);
  expect(keyStep({ ...NO_MODIFIER, altKey: true, key: 'ArrowLeft' }, 500, 1000, [])).toBe(null);
});

test('a key steps over a gap', () => {
  expect([step('ArrowRight', 95), step('ArrowRight', 100), step('ArrowRight', 195)]).toEqual([105, 200, 205]);
  expect([step('ArrowLeft', 205), step('ArrowLeft', 100)]).toEqual([195, 90]);
});

test('who goes to where bytes are missing is shown all of what is missing', () => {
  expect([99, 100, 150, 199, 200].map((offset) => beginningOf(offset, GAPS))).toEqual([99, 100, 100, 100, 200]);
});

test('output is opened a byte before a line, to know that the line is whole; not within a gap', () => {
  expect([0, 1, 99, 100, 200, 201].map((offset) => openingFor(offset, GAPS))).toEqual([0, 0, 98, 100, 200, 200]);
});

describe('lines of a window', () => {
  const window = new OutputWindow(100);
  const push = (stream: StreamName, text: string) =>
    window.push({ stream, start: window.next, bytes: new TextEncoder().encode(text) });
  push('stdout', 'one\ntwo\n');
  push('stderr', 'three\nfo');
  window.gap(200);
  push('stdout', 'ur\nfive\n');

  test('are found by their number, and their number by what they hold', () => {
    const starts = [100, 104, 108, 114, 116, 200, 203, 208];
    expect(starts.map((_, lines) => offsetOfLine(window, 100, lines, 'both'))).toEqual(starts);
    expect(starts.map((start) => linesBetween(window, 100, start, 'both'))).toEqual(starts.map((_, lines) => lines));
    expect([103, 110, 150, 202].map((offset) => linesBetween(window, 100, offset, 'both'))).toEqual([0, 2, 4, 5]);
  });

  test('of one stream are counted alone', () => {
    expect([1, 2, 3].map((lines) => offsetOfLine(window, 100, lines, 'stderr'))).toEqual([114, 116, 200]);
    expect(linesBetween(window, 100, 203, 'stdout')).toBe(4);
  });
});
