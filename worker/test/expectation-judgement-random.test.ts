/** Random histories: whatever the schedule, the zone and its changes of the clock, what was missed is noticed, and no more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExpectationState, Expected } from '#protocol/expectations';
import { trials } from '#testing/seed';
import { type Facts, judge, planOf } from '../durable/job/expectations/judgement.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const NOTHING: Expected = { every_ms: null, schedule: null, time_zone: null, late_after_ms: null, slow_after_ms: null };
const SEVERITY: Readonly<Record<ExpectationState, number>> = { unknown: 0, ok: 0, late: 1, missed: 2 };
/** Less than the time between two due times. */
const LATE_MS = 10 * MINUTE_MS;

/** A few days before clocks change in Europe, America and Australia, and some day. */
const someTime = fc
  .tuple(
    fc.constantFrom('2026-03-07', '2026-03-28', '2026-04-04', '2026-06-01', '2026-10-03', '2026-10-24', '2026-10-31'),
    fc.integer({ min: 0, max: DAY_MS }),
  )
  .map(([day, ms]) => Date.parse(day) + ms);

const expectation = fc
  .oneof(
    fc.record({ every_ms: fc.constantFrom(15 * MINUTE_MS, 60 * MINUTE_MS, DAY_MS) }),
    fc.record({
      schedule: fc.constantFrom('30 2 * * *', '0 0 * * *', '15 * * * *', '*/20 * * * *', '0 1-3 * * *', '0 6 * * 1'),
      time_zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'),
    }),
  )
  .map((when): Expected => ({ ...NOTHING, ...when, late_after_ms: LATE_MS }));

const delayMs = fc.integer({ min: 0, max: LATE_MS - 1 });

function judging(expected: Expected, now: number) {
  const plan = planOf(expected, now);
  return (facts: Facts, at: number) => judge(plan, expected.late_after_ms, facts, at);
}

const factsOf = (setAt: number, lastStartedAt: number | null): Facts => ({
  setAt,
  lastStartedAt,
  lastRanUntil: lastStartedAt,
});

test('a job that starts whenever it is due is never late; when it stops, it is late exactly then, until it starts', () => {
  fc.assert(
    fc.property(
      expectation,
      someTime,
      fc.array(delayMs, { maxLength: 12 }),
      delayMs,
      (expected, setAt, delays, last) => {
        const judged = judging(expected, setAt);
        let facts = factsOf(setAt, null);
        let now = setAt;
        for (const delay of delays) {
          const { dueAt } = judged(facts, now);
          if (dueAt === null) throw new Error('nothing is due');
          now = dueAt + delay;
          expect(SEVERITY[judged(facts, now).state]).toBe(0);
          facts = factsOf(setAt, now);
          expect(judged(facts, now)).toMatchObject({ state: 'ok', since: null });
        }
        const { dueAt } = judged(facts, now);
        const lateAt = (dueAt ?? 0) + LATE_MS;
        expect(SEVERITY[judged(facts, lateAt - 1).state]).toBe(0);
        expect(judged(facts, lateAt)).toMatchObject({ state: 'late', since: lateAt, dueAt });
        const returnedAt = lateAt + last;
        expect(judged(factsOf(setAt, returnedAt), returnedAt).state).toBe('ok');
      },
    ),
    trials(40, 5_000),
  );
});

test('a verdict changes at the time that it names, and only for the worse while nothing starts', () => {
  fc.assert(
    fc.property(
      expectation,
      someTime,
      fc.option(fc.integer({ min: -2 * DAY_MS, max: 0 }), { nil: null }),
      fc.integer({ min: 0, max: 14 * DAY_MS }),
      (expected, setAt, started, passed) => {
        const judged = judging(expected, setAt);
        const facts = factsOf(setAt, started === null ? null : setAt + started);
        const now = setAt + passed;
        const { state, checkAt } = judged(facts, now);
        if (checkAt === null) {
          expect(state).toBe('missed');
          expect(judged(facts, now + 400 * DAY_MS).state).toBe('missed');
          return;
        }
        expect(checkAt).toBeGreaterThan(now);
        expect(judged(facts, checkAt - 1).state).toBe(state);
        expect(SEVERITY[judged(facts, checkAt).state]).toBe(SEVERITY[state] + 1);
      },
    ),
    trials(100, 5_000),
  );
});
