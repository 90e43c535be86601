import { expect, test } from 'vitest';
import { formatBytes } from '#shared/format-bytes';
import { formatDuration } from '#shared/format-duration';
import { mapConcurrent } from '#shared/map-concurrent';
import { withJitter } from '#shared/with-jitter';
import { TimeoutError, withTimeout } from '#shared/with-timeout';

test.each([
  [-5, '0s'],
  [0, '0s'],
  [340.9, '340ms'],
  [1_500, '1.5s'],
  [2_000, '2s'],
  [9_999, '9.9s'],
  [42_700, '42s'],
  [60_000, '1m'],
  [65_000, '1m 05s'],
  [7_200_000, '2h'],
  [7_384_000, '2h 03m'],
  [86_399_999, '23h 59m'],
  [273_600_000, '3d 04h'],
])('%j ms read as %j', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1_023, '1023 bytes'],
  [65_536, '64 KiB'],
  [1_572_864, '1.5 MiB'],
  [268_435_456, '256 MiB'],
  [5 * 1024 ** 5, '5120 TiB'],
])('%j bytes read as %j', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a promise that settles in time decides, whichever way', async () => {
  expect(await withTimeout(Promise.resolve(1), 60_000, { fallback: 2 })).toBe(1);
  await expect(withTimeout(Promise.reject(new Error('no')), 60_000, { what: 'D1' })).rejects.toThrow('no');
});

test('one that takes too long is replaced by the fallback, or fails by name', async () => {
  const never = new Promise<number>(() => {});
  expect(await withTimeout(never, 1, { fallback: undefined })).toBeUndefined();
  await expect(withTimeout(never, 1, { what: 'D1' })).rejects.toThrow(
    new TimeoutError('D1 did not answer within 1 ms'),
  );
});

test('calls run side by side up to the limit, and their results keep the order of the items', async () => {
  let [running, most] = [0, 0];
  const results = await mapConcurrent([3, 1, 2, 5, 4], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn += 1) await null;
    running -= 1;
    return item * 10;
  });
  expect([results, most]).toEqual([[30, 10, 20, 50, 40], 2]);
});

test('a pause with jitter is at least half as long as given', () => {
  const pauses = Array.from({ length: 200 }, () => withJitter(100));
  expect(pauses.every((pause) => Number.isInteger(pause) && pause >= 50 && pause <= 100)).toBe(true);
  expect(new Set(pauses).size).toBeGreaterThan(1);
});
