import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from '#shared/backoff';
import { trials } from '#testing/seed';

const ALMOST_ONE = 1 - Number.EPSILON;

test('pauses double up to the cap', () => {
  const longest = Array.from({ length: 8 }, (_, failures) => Math.round(backoffMs(failures, 250, 10_000, ALMOST_ONE)));
  expect(longest).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(backoffMs(1_000_000, 250, 10_000, ALMOST_ONE)).toBeLessThanOrEqual(10_000);
});

test('the jitter is full: a pause may be as short as none', () => {
  expect(backoffMs(10, 250, 10_000, 0)).toBe(0);
  expect(backoffMs(10, 250, 10_000, 0.25)).toBe(2_500);
});

test('a pause is a share of the longest one, which never shrinks with failures nor exceeds the cap', () => {
  const capMs = fc.integer({ min: 50, max: 300_000 });
  const share = fc.double({ min: 0, max: ALMOST_ONE, noNaN: true });
  fc.assert(
    fc.property(fc.nat(100_000), capMs, share, (failures, cap, random) => {
      const longest = backoffMs(failures, 250, cap, 1);
      expect(backoffMs(failures, 250, cap, random)).toBeCloseTo(random * longest, 6);
      expect(longest).toBeLessThanOrEqual(cap);
      expect(backoffMs(failures + 1, 250, cap, 1)).toBeGreaterThanOrEqual(longest);
    }),
    trials(100, 10_000),
  );
});
