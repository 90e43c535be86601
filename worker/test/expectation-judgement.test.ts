import { describe, expect, test } from 'vitest';
import type { Expected } from '#protocol/expectations';
import { type Facts, judge, planOf } from '../durable/job/expectations/judgement.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOTHING: Expected = { every_ms: null, schedule: null, time_zone: null, late_after_ms: null, slow_after_ms: null };

const at = (time: string) => Date.parse(`2026-06-01T${time}Z`);
const text = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString().slice(11, 19));

interface Case {
  readonly started: string | null;
  /** When the last run ended; absent: at once. `null`: it runs. */
  readonly ended?: string | null;
  readonly set?: string;
  readonly now: string;
}

function verdict(expected: Partial<Expected>, { started, ended, set = '00:00', now }: Case): string {
  const full = { ...NOTHING, ...expected };
  const facts: Facts = {
    setAt: at(set),
    lastStartedAt: started === null ? null : at(started),
    lastRanUntil: started === null ? null : ended === null ? at(now) : at(ended ?? started),
  };
  const { state, dueAt, since, checkAt } = judge(planOf(full, at(now)), full.late_after_ms, facts, at(now));
  return [state, `due ${text(dueAt)}`, since === null ? '' : `since ${text(since)}`, `check ${text(checkAt)}`]
    .filter((part) => part !== '')
    .join(', ');
}

describe('an interval of an hour', () => {
  const hourly = { every_ms: HOUR_MS, late_after_ms: 5 * MINUTE_MS };

  test.each<[string, Case, string]>([
    ['is kept until the next run is late', { started: '03:00', now: '04:04' }, 'ok, due 04:00:00, check 04:05:00'],
    ['is late', { started: '03:00', now: '04:05' }, 'late, due 04:00:00, since 04:05:00, check 05:00:00'],
    [
      'is missed when the next is due, and silent after that',
      { started: '03:00', now: '09:00' },
      'missed, due 04:00:00, since 05:00:00, check null',
    ],
    [
      'counts from when it was set, without a run',
      { started: null, set: '03:00', now: '03:30' },
      'unknown, due 04:00:00, check 04:05:00',
    ],
    [
      'is late without a first run',
      { started: null, set: '03:00', now: '04:06' },
      'late, due 04:00:00, since 04:05:00, check 05:00:00',
    ],
    [
      'is not late by runs from before it was set',
      { started: '01:00', set: '07:00', now: '07:01' },
      'ok, due 07:00:00, check 07:05:00',
    ],
    [
      'lets a run that runs stand in for the next',
      { started: '03:00', ended: null, now: '04:30' },
      'ok, due 05:00:00, check 05:05:00',
    ],
    [
      'also one that has run until then',
      { started: '03:00', ended: '04:10', now: '04:30' },
      'ok, due 05:00:00, check 05:05:00',
    ],
    [
      'but only once: one that hangs is noticed',
      { started: '03:00', ended: null, now: '05:30' },
      'late, due 05:00:00, since 05:05:00, check 06:00:00',
    ],
  ])('%s', (_, facts, expected) => {
    expect(verdict(hourly, facts)).toBe(expected);
  });

  test('may be late by a tenth of it, if nothing else is said', () => {
    expect(verdict({ every_ms: HOUR_MS }, { started: '03:00', now: '04:05' })).toBe('ok, due 04:00:00, check 04:06:00');
    expect(verdict({ every_ms: MINUTE_MS }, { started: '03:00', now: '03:01' })).toBe(
      'ok, due 03:01:00, check 03:02:00',
    );
    expect(verdict({ every_ms: 20 * HOUR_MS }, { started: '01:00', now: '02:00' })).toBe(
      'ok, due 21:00:00, check 22:00:00',
    );
  });

  test('is missed after it is late, however long it may be late', () => {
    const patient = { every_ms: HOUR_MS, late_after_ms: 150 * MINUTE_MS };
    expect(verdict(patient, { started: '03:00', now: '06:29' })).toBe('ok, due 04:00:00, check 06:30:00');
    expect(verdict(patient, { started: '03:00', now: '06:30' })).toBe(
      'late, due 04:00:00, since 06:30:00, check 07:00:00',
    );
  });
});

describe('a schedule', () => {
  const schedule = { schedule: '0,20 * * * *', late_after_ms: 2 * MINUTE_MS };

  test.each<[string, Case, string]>([
    [
      'is due at its times, whenever the last run started',
      { started: '03:07', now: '03:21' },
      'ok, due 03:20:00, check 03:22:00',
    ],
    ['counts a run that starts on time', { started: '03:20', now: '03:21' }, 'ok, due 04:00:00, check 04:02:00'],
    ['counts a run by a clock that is fast', { started: '03:19:40', now: '03:21' }, 'ok, due 04:00:00, check 04:02:00'],
    [
      'does not count one that is much too early',
      { started: '03:19:20', now: '03:22' },
      'late, due 03:20:00, since 03:22:00, check 04:00:00',
    ],
    [
      'is missed at its next time',
      { started: '03:00', now: '04:00' },
      'missed, due 03:20:00, since 04:00:00, check null',
    ],
    [
      'is corrected by a run that is reported later',
      { started: '03:21', now: '04:00' },
      'ok, due 04:00:00, check 04:02:00',
    ],
    [
      'is not late by runs from before it was set',
      { started: '01:00', set: '02:50', now: '02:55' },
      'ok, due 03:00:00, check 03:02:00',
    ],
  ])('%s', (_, facts, expected) => {
    expect(verdict(schedule, facts)).toBe(expected);
  });

  test('of every minute counts each run once', () => {
    const each = { schedule: '* * * * *' };
    expect(verdict(each, { started: '03:00:01', now: '03:00:30' })).toBe('ok, due 03:01:00, check 03:02:00');
    expect(verdict(each, { started: '03:00:50', now: '03:00:55' })).toBe('ok, due 03:02:00, check 03:03:00');
  });
});

test('without times nothing is due, and nothing is late', () => {
  expect(verdict({ slow_after_ms: HOUR_MS }, { started: '03:00', now: '23:00' })).toBe('ok, due null, check null');
  expect(verdict({ slow_after_ms: HOUR_MS }, { started: null, now: '23:00' })).toBe('unknown, due null, check null');
});

test.each<[Partial<Expected>, string]>([
  [{ schedule: '0 0 30 2 *' }, 'The schedule "0 0 30 2 *" never fires.'],
  [
    { schedule: '0 0 * * *', time_zone: 'Moon' },
    'The time zone "Moon" is unknown: use a name such as Europe/Berlin or UTC.',
  ],
  [{ schedule: '0 0 * * *', every_ms: HOUR_MS }, 'An interval and a schedule are mutually exclusive.'],
  [{ time_zone: 'Europe/Berlin' }, 'A time zone needs a schedule.'],
])('%o is impossible', (expected, problem) => {
  expect(planOf({ ...NOTHING, ...expected }, at('00:00'))).toEqual({ kind: 'impossible', problem });
});
