import { expect, test } from 'vitest';
import { RetryWindow } from '../../src/flush/retry-window.ts';

test('each new run starts the window again, and a known one does not', () => {
  const window = new RetryWindow(1_000, 0);
  expect(window.update(['a'], 0)).toBe(true);
  expect([window.isOver(999), window.isOver(1_000)]).toEqual([false, true]);
  expect(window.update(['a', 'b'], 900)).toBe(true);
  expect(window.update(['a', 'b'], 1_500)).toBe(false);
  expect(window.update(['b'], 1_600)).toBe(false);
  expect([window.isOver(1_899), window.isOver(1_900)]).toEqual([false, true]);
  window.update(['b', 'c'], 2_000);
  expect(window.isOver(2_999)).toBe(false);
});

test('the window also ends where nothing is left', () => {
  const window = new RetryWindow(1_000, 0);
  window.update([], 500);
  expect(window.isOver(1_000)).toBe(true);
});
