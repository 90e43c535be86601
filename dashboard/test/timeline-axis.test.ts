import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { daysOf, periodText, ticksOf } from '../src/pages/timeline/time-axis.ts';

const HOUR = 3_600_000;
let zone: string | undefined;

beforeEach(() => {
  zone = process.env.TZ;
  process.env.TZ = 'Europe/Berlin';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** An hour or more that ends at a local time. */
const ending = (local: string, hours: number) => {
  const to = new Date(local).getTime();
  return { from: to - hours * HOUR, to };
};
const labels = (local: string, hours: number, most: number) => ticksOf(ending(local, hours), most).map((t) => t.label);

describe('ticks', () => {
  test.each<[string, string, number, number, string[]]>([
    ['an hour', '2026-03-10T12:07', 1, 6, ['11:10', '11:20', '11:30', '11:40', '11:50', '12:00']],
    ['a day', '2026-03-10T12:07', 24, 8, ['15:00', '18:00', '21:00', '00:00', '03:00', '06:00', '09:00', '12:00']],
    ['three days', '2026-03-10T12:07', 72, 6, ['00:00', '12:00', '00:00', '12:00', '00:00', '12:00']],
    ['hardly any room', '2026-03-10T12:07', 72, 2, ['00:00', '00:00', '00:00']],
    // Clocks go from 02:00 to 03:00 in that night.
    ['a short day', '2026-03-29T07:00', 8, 5, ['22:00', '00:00', '04:00', '06:00']],
    ['an hour that is skipped', '2026-03-29T03:31', 1, 2, ['03:00', '03:30']],
    // Clocks go from 03:00 back to 02:00.
    ['a long day', '2026-10-25T06:00', 8, 4, ['00:00', '02:00', '04:00', '06:00']],
  ])('%s', (_, local, hours, most, expected) => {
    expect(labels(local, hours, most)).toEqual(expected);
  });

  test('an hour that comes twice is marked twice', () => {
    const from = Date.parse('2026-10-25T00:00:00Z');
    expect(ticksOf({ from, to: from + 2 * HOUR }, 4).map(({ label }) => label)).toEqual([
      '02:00',
      '02:30',
      '02:00',
      '02:30',
      '03:00',
    ]);
  });

  test('midnights are marked', () => {
    const midnights = ticksOf(ending('2026-03-10T12:00', 24), 8).filter(({ isMidnight }) => isMidnight);
    expect(midnights.map(({ at }) => at)).toEqual([new Date('2026-03-10T00:00').getTime()]);
  });
});

test('days go from midnight to midnight, also those of 23 hours', () => {
  const { from, to } = ending('2026-03-30T12:00', 48);
  const days = daysOf({ from, to });
  expect(days.map((day) => (day.to - day.from) / HOUR)).toEqual([13, 23, 12]);
  expect(days.map(({ date }) => date)).toEqual(['28', '29', '30']);
  expect(days[0]?.from).toBe(from);
  expect(days.at(-1)?.to).toBe(to);
});

test('a period names its second day only when it is another one', () => {
  const text = periodText(ending('2026-03-10T12:00', 1));
  expect(text).toMatch(/^.*10.* 11:00:00 to 12:00:00$/);
  expect(periodText(ending('2026-03-10T12:00', 24))).toMatch(/^.*9.* 12:00:00 to .*10.* 12:00:00$/);
});
