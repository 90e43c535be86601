import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trials } from '#testing/seed';
import { pauseBeforeDialling } from '../../src/link/backoff.ts';

const ALMOST_ONE = 1 - Number.EPSILON;

test('pauses double up to the cap', () => {
  const longest = Array.from({ length: 8 }, (_, attempt) =>
    Math.round(pauseBeforeDialling(attempt, false, 10_000, ALMOST_ONE)),
  );
  expect(longest).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(pauseBeforeDialling(1_000_000, false, 10_000, ALMOST_ONE)).toBeLessThanOrEqual(10_000);
});

test('after a connection that worked there is a second in which all who lost theirs can come back', () => {
  const longest = [0, 1, 2, 3].map((attempt) => Math.round(pauseBeforeDialling(attempt, true, 10_000, ALMOST_ONE)));
  expect(longest).toEqual([1_000, 1_000, 1_000, 2_000]);
});

test('the jitter is full: any pause down to none', () => {
  expect(pauseBeforeDialling(10, false, 10_000, 0)).toBe(0);
  expect(pauseBeforeDialling(10, false, 10_000, 0.25)).toBe(2_500);
});

test('a pause is a share of the longest one, which never shrinks with attempts nor passes the cap', () => {
  const capMs = fc.integer({ min: 50, max: 300_000 });
  const share = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
  fc.assert(
    fc.property(fc.nat(100_000), fc.boolean(), capMs, share, (attempt, wasConnected, cap, random) => {
      const longest = pauseBeforeDialling(attempt, wasConnected, cap, 1);
      const pause = pauseBeforeDialling(attempt, wasConnected, cap, random);
      expect(pause).toBeCloseTo(random * longest, 6);
      expect(longest).toBeLessThanOrEqual(cap);
      expect(pauseBeforeDialling(attempt + 1, wasConnected, cap, 1)).toBeGreaterThanOrEqual(longest);
      expect(pauseBeforeDialling(attempt, true, cap, 1)).toBeGreaterThanOrEqual(longest);
    }),
    trials(100, 10_000),
  );
});

test('those who lost their link at the same moment come back evenly over the time they have', () => {
  const slots = new Array<number>(10).fill(0);
  for (let each = 0; each < 1_000; each += 1) {
    const slot = Math.floor(pauseBeforeDialling(0, true, 10_000, (each * 0.618033988749895) % 1) / 100);
    slots[slot] = (slots[slot] ?? 0) + 1;
  }
  for (const count of slots) expect(count).toBeLessThan(120);
});
