import { expect, test } from 'vitest';
import { moment, momentText, UsageError } from '../../../src/cli/flags.ts';
import { elapsed, exactTime, relativeTime } from '../../../src/operator/relative-time.ts';

const NOW = Date.parse('2026-11-30T12:00:00.000Z');
const before = (ms: number) => new Date(NOW - ms).toISOString();
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

test.each([
  [0, 'now'],
  [-900, 'now'],
  [5 * SECOND, '5s ago'],
  [59.9 * SECOND, '59s ago'],
  [60 * SECOND, '1m ago'],
  [HOUR - 1, '59m ago'],
  [25 * HOUR, '1d ago'],
  [29 * DAY, '29d ago'],
  [40 * DAY, '2026-10-21'],
  [-2 * HOUR, 'in 2h'],
  [-2 * HOUR + 2 * SECOND, 'in 2h'],
  [-2 * HOUR + 120 * SECOND, 'in 1h 58m'],
  [-45 * SECOND, 'in 45s'],
])('%i ms before now: %s', (ms, text) => {
  expect(relativeTime(before(ms), NOW)).toBe(text);
});

test('an exact time says how long ago it was, unless the day says it', () => {
  expect(exactTime(before(5 * SECOND), NOW)).toBe('2026-11-30 11:59:55Z (5s ago)');
  expect(exactTime(before(40 * DAY), NOW)).toBe('2026-10-21 12:00:00Z');
  expect(elapsed(before(61_700), NOW)).toBe('1m 01s');
});

test.each([
  ['90', '2026-11-30T11:58:30.000Z'],
  ['2h', '2026-11-30T10:00:00.000Z'],
  ['3d', '2026-11-27T12:00:00.000Z'],
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31 12:00:00Z', '2026-01-31T12:00:00.000Z'],
])('--since %s', (text, at) => {
  const since = moment('--since', text);
  expect(since === null ? null : momentText(since, NOW)).toBe(at);
});

test.each(['yesterday', '2026', '2026-13-01', '-1h'])('--since %s is wrong usage', (text) => {
  expect(() => moment('--since', text)).toThrow(UsageError);
});
