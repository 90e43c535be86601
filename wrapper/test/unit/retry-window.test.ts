import { expect, test } from 'vitest';
import { RetryWindow } from '../../src/flush/retry-window.ts';

test('each run is tried for as long from when it was first seen, and none for longer', () => {
  const patience = new RetryWindow(1_000, 0);
  expect(patience.addRuns(['a'], 0)).toBe(true);
  expect([patience.isOver(999), patience.isOver(1_000)]).toEqual([false, true]);
  expect(patience.addRuns(['a', 'b'], 900)).toBe(true);
  expect(patience.addRuns(['a', 'b'], 1_500)).toBe(false);
  expect(patience.addRuns(['b'], 1_600)).toBe(false);
  expect([patience.isOver(1_899), patience.isOver(1_900)]).toEqual([false, true]);
  patience.addRuns(['b', 'c'], 2_000);
  expect(patience.isOver(2_999)).toBe(false);
});

test('where nothing is left it ends all the same', () => {
  const patience = new RetryWindow(1_000, 0);
  patience.addRuns([], 500);
  expect(patience.isOver(1_000)).toBe(true);
});
