import { Terminal } from '@xterm/xterm';
import { expect, test } from 'vitest';
import { RowPlaces } from '../src/output/row-places.ts';
import { beginningOf, keyStep } from '../src/pages/run/log-places.ts';

const NO_MODIFIER = { ctrlKey: false, metaKey: false, altKey: false };
const GAPS = [{ start: 100, end: 200 }];
const step = (key: string, from: number) => keyStep({ ...NO_MODIFIER, key }, from, 1000, GAPS);

test('a key goes a hundredth of the log, or a tenth, and never beyond its ends', () => {
  expect(['ArrowLeft', 'ArrowRight', 'PageDown', 'PageUp', 'Home', 'End'].map((key) => step(key, 500))).toEqual([
    490, 510, 400, 600, 0, 1000,
  ]);
  expect([step('ArrowLeft', 3), step('PageUp', 950)]).toEqual([0, 1000]);
  expect(step('k', 500)).toBe(null);
  expect(keyStep({ ...NO_MODIFIER, altKey: true, key: 'ArrowLeft' }, 500, 1000, [])).toBe(null);
});

test('a key leads over a gap, which is one place', () => {
  expect([step('ArrowRight', 95), step('ArrowRight', 100), step('ArrowRight', 195)]).toEqual([105, 200, 205]);
  expect([step('ArrowLeft', 205), step('ArrowLeft', 100)]).toEqual([195, 90]);
});

test('who goes to where bytes are missing is shown all of what is missing', () => {
  expect([99, 100, 150, 199, 200].map((offset) => beginningOf(offset, GAPS))).toEqual([99, 100, 100, 100, 200]);
});

test('a row is found by its place in the log, and the place by its row', async () => {
  const terminal = new Terminal({ cols: 20, rows: 5, convertEol: true });
  const places = new RowPlaces(terminal);
  expect([places.offsetNear(0), places.rowNear(0)]).toEqual([null, null]);
  const write = (text: string) => new Promise<void>((resolve) => terminal.write(text, resolve));
  for (const offset of [100_000, 120_000, 160_000]) {
    places.note(offset, false);
    await write('line\n'.repeat(20));
  }
  expect([0, 10, 20, 30, 59].map((row) => places.offsetNear(row))).toEqual([
    100_000, 110_000, 120_000, 140_000, 160_000,
  ]);
  expect([0, 100_000, 110_000, 140_000, 999_999].map((offset) => places.rowNear(offset))).toEqual([0, 0, 10, 30, 40]);
});
