import { describe, expect, test } from 'vitest';
import { CronSchedule, ScheduleError } from '../shared/schedule/cron-schedule.ts';
import { WallClock } from '../shared/schedule/wall-clock.ts';

const MINUTE_MS = 60_000;

/** The next times after one, as `MM-DD HH:MM` in UTC; with the year if that differs. */
function due(expression: string, zone: string, after: string, count: number): string[] {
  const schedule = new CronSchedule(expression, zone);
  const times: string[] = [];
  for (
    let at = schedule.nextAfter(Date.parse(after));
    at !== null && times.length < count;
    at = schedule.nextAfter(at)
  ) {
    const text = new Date(at).toISOString();
    times.push(text.slice(text.slice(0, 4) === after.slice(0, 4) ? 5 : 0, 16).replace('T', ' '));
  }
  return times;
}

function refusal(expression: string, zone = 'UTC'): string {
  try {
    new CronSchedule(expression, zone);
    return 'accepted';
  } catch (error) {
    if (error instanceof ScheduleError) return error.message;
    throw error;
  }
}

describe('when the clock is put forward', () => {
  test.each([
    [
      'what the skipped hour has is due at once',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T00:00Z',
      ['03-28 01:30', '03-29 01:00', '03-30 00:30'],
    ],
    [
      'also several times of it, once',
      '15,45 2 * * *',
      'Europe/Berlin',
      '2026-03-29T00:00Z',
      ['03-29 01:00', '03-30 00:15'],
    ],
    [
      'what it has not is due as ever',
      '30 3 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['03-29 01:30', '03-30 01:30'],
    ],
    [
      'an interval goes on',
      '*/30 * * * *',
      'Europe/Berlin',
      '2026-03-29T00:15Z',
      ['03-29 00:30', '03-29 01:00', '03-29 01:30'],
    ],
    [
      'an interval of hours leaves out the skipped one',
      '0 */2 * * *',
      'Europe/Berlin',
      '2026-03-28T22:30Z',
      ['03-28 23:00', '03-29 02:00', '03-29 04:00'],
    ],
    ['in America', '30 2 * * *', 'America/New_York', '2026-03-07T12:00Z', ['03-08 07:00', '03-09 06:30']],
    ['by half an hour', '15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', ['10-03 15:30', '10-04 15:15']],
    ['by two hours', '30 2 * * *', 'Antarctica/Troll', '2026-03-28T12:00Z', ['03-29 01:00', '03-30 00:30']],
    ['at midnight', '0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00Z', ['04-23 22:00', '04-24 21:00']],
    [
      'by a whole day',
      '0 12 * * *',
      'Pacific/Apia',
      '2011-12-29T00:00Z',
      ['12-29 22:00', '12-30 10:00', '12-30 22:00'],
    ],
  ])('%s', (_, expression, zone, after, times) => {
    expect(due(expression, zone, after, times.length)).toEqual(times);
  });
});

describe('when the clock is put back', () => {
  test.each([
    [
      'what the repeated hour has is due once',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00Z',
      ['10-25 00:30', '10-26 01:30'],
    ],
    ['also if asked within the repetition', '30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10Z', ['10-26 01:30']],
    [
      'an interval goes on through both',
      '*/30 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:45Z',
      ['10-25 00:00', '10-25 00:30', '10-25 01:00', '10-25 01:30', '10-25 02:00'],
    ],
    [
      'every hour is due twice',
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      ['10-25 00:00', '10-25 01:00', '10-25 02:00'],
    ],
    [
      'an interval that is only due in the repeated hour',
      '*/30 2 * 10 0L',
      'Europe/Berlin',
      '2026-10-25T00:10Z',
      ['10-25 00:30', '10-25 01:00', '10-25 01:30', '2027-10-31 00:00'],
    ],
    ['in America', '30 1 * * *', 'America/New_York', '2026-10-31T12:00Z', ['11-01 05:30', '11-02 06:30']],
    ['by half an hour', '45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T20:00Z', ['04-04 14:45', '04-05 15:15']],
  ])('%s', (_, expression, zone, after, times) => {
    expect(due(expression, zone, after, times.length)).toEqual(times);
  });
});

describe('an expression', () => {
  test.each([
    ['0 3 * * *', ['12-01 03:00', '12-02 03:00']],
    ['*/7 * * * *', ['11-30 12:35', '11-30 12:42', '11-30 12:49', '11-30 12:56', '11-30 13:00']],
    ['10-50/20 9-17 * * mon-fri', ['11-30 12:50', '11-30 13:10', '11-30 13:30']],
    ['0 0 29 2 *', ['2028-02-29 00:00', '2032-02-29 00:00']],
    // A day of the month or a day of the week, as in cron.
    ['0 0 13 * 5', ['12-04 00:00', '12-11 00:00', '12-13 00:00', '12-18 00:00']],
    // And both, if one of them has a star.
    ['0 0 */2 * 1', ['12-07 00:00', '12-21 00:00', '2027-01-11 00:00']],
    ['0 0 L * *', ['12-31 00:00', '2027-01-31 00:00', '2027-02-28 00:00']],
    ['0 0 * * 5#2', ['12-11 00:00', '2027-01-08 00:00']],
    ['0 0 * * FRI#L', ['12-25 00:00', '2027-01-29 00:00']],
    ['0 0 * JAN,JUL SUN', ['2027-01-03 00:00', '2027-01-10 00:00']],
    ['0 0 * * 7', ['12-06 00:00', '12-13 00:00']],
    ['@hourly', ['11-30 13:00', '11-30 14:00']],
    ['@daily', ['12-01 00:00', '12-02 00:00']],
    ['@WEEKLY', ['12-06 00:00', '12-13 00:00']],
    ['@monthly', ['12-01 00:00', '2027-01-01 00:00']],
    ['@yearly', ['2027-01-01 00:00', '2028-01-01 00:00']],
    [' 0  3\t* * * ', ['12-01 03:00']],
    // A Monday that is a leap day: decades ahead.
    ['0 0 29 2 +1', ['2044-02-29 00:00', '2072-02-29 00:00']],
    ['0 0 30 2 *', []],
    ['*/5 * 31 4,6,9,11 *', []],
  ])('%s', (expression, times) => {
    expect(due(expression, 'UTC', '2026-11-30T12:34:56Z', times.length || 1)).toEqual(times);
  });

  test('that the clock skips year after year never fires, and that is found without end', () => {
    expect(new CronSchedule('*/15 2 * 3 0L', 'Europe/Berlin').nextAfter(Date.parse('2026-01-01T00:00Z'))).toBeNull();
  });

  test.each([
    ['Asia/Kathmandu', '12-01 18:15'],
    ['America/St_Johns', '12-01 03:30'],
    ['Pacific/Kiritimati', '12-01 10:00'],
    ['Pacific/Marquesas', '12-01 09:30'],
  ])('at midnight in %s', (zone, time) => {
    expect(due('0 0 * * *', zone, '2026-12-01T01:00Z', 1)).toEqual([time]);
  });

  test.each([
    ['', 'The schedule "" must have five fields: minute, hour, day of month, month and day of week.'],
    ['0 3 * *', 'The schedule "0 3 * *" must have five fields: minute, hour, day of month, month and day of week.'],
    [
      '0 0 3 * * *',
      'The schedule "0 0 3 * * *" must have five fields: minute, hour, day of month, month and day of week.',
    ],
    ['60 * * * *', `The schedule "60 * * * *" can't be read: Invalid value for minute: 60.`],
    ['*/0 * * * *', `The schedule "*/0 * * * *" can't be read: Syntax error, illegal stepping: 0.`],
    ['@reboot', 'The schedule @reboot has no time at which it is due.'],
    [
      '@every 5m',
      'The schedule "@every 5m" is unknown: use one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly.',
    ],
    [
      '2026-01-01T00:00:00',
      'The schedule "2026-01-01T00:00:00" must have five fields: minute, hour, day of month, month and day of week.',
    ],
  ])('%s is refused', (expression, message) => {
    expect(refusal(expression)).toBe(message);
  });

  test('is refused in a zone that there is not', () => {
    expect(refusal('0 3 * * *', 'Mars/Base')).toBe(
      'The time zone "Mars/Base" is unknown: use a name such as Europe/Berlin or UTC.',
    );
    expect(refusal('0 3 * * *', 'europe/berlin')).toBe('accepted');
  });
});

test.each([
  ['Europe/Berlin', '2026-03-28T23:00Z'],
  ['Europe/Berlin', '2026-10-24T22:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T12:00Z'],
])('intervals in %s are due in each minute that the clock shows one, from %s on', (zone, from) => {
  const clock = new WallClock(zone);
  const schedules = ['*/20 * * * *', '5 * * * *', '0 */3 * * *', '*/10 1-3 * * *'];
  const start = Date.parse(from);
  for (const expression of schedules) {
    // Without changes of the clock, where each minute is one.
    const plain = new CronSchedule(expression, 'UTC');
    const shown = Array.from({ length: 6 * 60 }, (_, minute) => start + minute * MINUTE_MS).filter((instant) => {
      const wall = clock.at(instant);
      return plain.nextAfter(wall - 1) === wall;
    });
    const found: number[] = [];
    const schedule = new CronSchedule(expression, zone);
    for (
      let at = schedule.nextAfter(start - 1);
      at !== null && at < start + 6 * 60 * MINUTE_MS;
      at = schedule.nextAfter(at)
    )
      found.push(at);
    expect(found.map((at) => new Date(at).toISOString())).toEqual(shown.map((at) => new Date(at).toISOString()));
  }
});
