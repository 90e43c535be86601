import { describe, expect, test } from 'vitest';
import type { Expectation, Expected } from '#protocol/expectations';
import { expectedText } from '#shared/expected-text';
import { formOf, readForm } from '../src/pages/job/expectation-form.ts';
import { suggestion, usualText } from '../src/pages/job/habits.ts';
import { Store } from '../src/state/store.ts';

const NOTHING: Expected = { every_ms: null, schedule: null, time_zone: null, late_after_ms: null, slow_after_ms: null };
const MINUTE_MS = 60_000;

test('what is expected, in words', () => {
  expect(expectedText({ ...NOTHING, every_ms: 15 * MINUTE_MS, slow_after_ms: 2 * MINUTE_MS })).toBe(
    'every 15m, slow after 2m',
  );
  expect(
    expectedText({ ...NOTHING, schedule: '0 3 * * *', time_zone: 'Europe/Berlin', late_after_ms: 5 * MINUTE_MS }),
  ).toBe('at 0 3 * * * (Europe/Berlin), late after 5m');
  expect(expectedText(NOTHING)).toBe('nothing: runs may start at any time');
});

test('what is usual, and what is offered of it', () => {
  const usual = { every_ms: 15 * MINUTE_MS, duration_ms: { low: 40_000, high: 2 * MINUTE_MS }, runs: 200 };
  expect(usualText(usual)).toBe('usually every 15m, 40s to 2m');
  expect(suggestion(usual)).toEqual({ ...NOTHING, every_ms: 15 * MINUTE_MS, slow_after_ms: 6 * MINUTE_MS });
  // So that no change of the clock makes it late.
  expect(suggestion({ ...usual, every_ms: 24 * 60 * MINUTE_MS })?.late_after_ms).toBe(120 * MINUTE_MS);
  expect(suggestion({ ...usual, every_ms: null })).toBeNull();
  expect(usualText(null)).toBeNull();
});

describe('the form', () => {
  const form = formOf(null, null, 'Europe/Berlin');

  test('shows what is set, and reads it again', () => {
    const set = { ...NOTHING, every_ms: 90 * MINUTE_MS, late_after_ms: 90_000, slow_after_ms: 2_000 };
    expect(readForm(formOf('web1', set, 'UTC'))).toEqual({ ok: true, value: set });
    const scheduled = { ...NOTHING, schedule: '0 3 * * *', time_zone: 'Asia/Tokyo' };
    expect(readForm(formOf(null, scheduled, 'UTC'))).toEqual({ ok: true, value: scheduled });
    expect(readForm(formOf(null, NOTHING, 'UTC'))).toEqual({ ok: true, value: NOTHING });
  });

  test.each([
    [{ ...form, every: '' }, 'every'],
    [{ ...form, every: 'soon' }, 'every'],
    [{ ...form, every: '5s' }, 'every'],
    [{ ...form, every: '1h', lateAfter: '1 hour' }, 'lateAfter'],
    [{ ...form, kind: 'schedule' as const }, 'schedule'],
  ])('%o has a problem', (typed, field) => {
    const read = readForm(typed);
    expect(read.ok ? [] : Object.keys(read.problems)).toEqual([field]);
  });
});

describe('the store', () => {
  const expectation = (fields: Partial<Expectation> = {}): Expectation => ({
    job: 'backup',
    machine: null,
    ...NOTHING,
    every_ms: 60 * MINUTE_MS,
    source: 'operator',
    state: 'late',
    since: '2026-06-01T03:05:00.000Z',
    due_at: '2026-06-01T03:00:00.000Z',
    last_started_at: null,
    last_run: null,
    last_run_skipped: false,
    problem: null,
    seq: 2,
    ...fields,
  });

  test('keeps the newer version, whichever comes first', () => {
    const store = new Store();
    store.apply({ expectations: [expectation({ seq: 3, state: 'ok' }), expectation()] });
    expect([...store.expectations.value.values()].map(({ state }) => state)).toEqual(['ok']);
    store.apply({ removedExpectations: [{ job: 'backup', machine: null, seq: 2 }] });
    expect(store.expectations.value.size).toBe(1);
    store.apply({ removedExpectations: [{ job: 'backup', machine: null, seq: 4 }] });
    expect(store.expectations.value.size).toBe(0);
  });

  test('drops what a list does not have any more, unless it has changed since', () => {
    const store = new Store();
    store.apply({ expectations: [expectation(), expectation({ machine: 'web1' })] });
    const before = [...store.expectations.value.values()];
    store.apply({ expectations: [expectation({ machine: 'web1', seq: 5 })] });
    store.removeMended(before, []);
    expect([...store.expectations.value.values()].map(({ machine }) => machine)).toEqual(['web1']);
  });
});
