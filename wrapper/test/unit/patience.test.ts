import { expect, test } from 'vitest';
import { Patience } from '../../src/flush/patience.ts';

test('each run is tried for as long from when it was first seen, and none for longer', () => {
  const patience = new Patience(1_000, 0);
  expect(patience.note(['a'], 0)).toBe(true);
  expect([patience.isOver(999), patience.isOver(1_000)]).toEqual([false, true]);
  expect(patience.note(['a', 'b'], 900)).toBe(true);
  expect(patience.note(['a', 'b'], 1_500)).toBe(false);
  expect(patience.note(['b'], 1_600)).toBe(false);
  expect([patience.isOver(1_899), patience.isOver(1_900)]).toEqual([false, true]);
  patience.note(['b', 'c'], 2_000);
  expect(patience.isOver(2_999)).toBe(false);
});

test('where nothing is left it ends all the same', () => {
  const patience = new Patience(1_000, 0);
  patience.note([], 500);
  expect(patience.isOver(1_000)).toBe(true);
});
