import { expect, test } from 'vitest';
import { pauseBeforeDialling } from '../../src/link/backoff.ts';

test('pauses double up to the cap', () => {
  const almost = 1 - Number.EPSILON;
  const longest = Array.from({ length: 8 }, (_, attempt) => Math.round(pauseBeforeDialling(attempt, 10_000, almost)));
  expect(longest).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(pauseBeforeDialling(1_000_000, 10_000, almost)).toBeLessThanOrEqual(10_000);
});

test('the jitter is full: any pause down to none', () => {
  expect(pauseBeforeDialling(10, 10_000, 0)).toBe(0);
  expect(pauseBeforeDialling(10, 10_000, 0.25)).toBe(2_500);
});
