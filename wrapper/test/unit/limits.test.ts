import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LimitKind, Limits, type LimitsMs } from '../../src/run/limits.ts';

const NONE: LimitsMs = { timeoutMs: null, idleTimeoutMs: null, maxOfflineMs: null };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function limits(some: Partial<LimitsMs>) {
  const since = Date.now();
  const reached: [LimitKind, number][] = [];
  const state = { offlineSince: null as number | null, isHeldUp: false };
  const age = () => Date.now() - since;
  const made = new Limits(
    { ...NONE, ...some },
    {
      age,
      offlineSince: () => state.offlineSince,
      isHeldUp: () => state.isHeldUp,
      onReached: (kind) => reached.push([kind, age()]),
    },
  );
  return { made, reached, state };
}

test('without limits nothing ever happens', () => {
  const { reached } = limits({});
  vi.advanceTimersByTime(1e9);
  expect(reached).toEqual([]);
});

test('the hard limit is reached once, however much is printed', () => {
  const { made, reached } = limits({ timeoutMs: 1_000 });
  for (let each = 0; each < 30; each += 1) {
    made.outputCame();
    vi.advanceTimersByTime(100);
  }
  expect(reached).toEqual([['timeout', 1_000]]);
});

test('the idle limit counts from the last output', () => {
  const { made, reached } = limits({ idleTimeoutMs: 1_000 });
  vi.advanceTimersByTime(900);
  made.outputCame();
  vi.advanceTimersByTime(999);
  expect(reached).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(reached).toEqual([['idle_timeout', 1_900]]);
});

test('a command that can not print because nobody reads is not idle', () => {
  const { made, reached, state } = limits({ idleTimeoutMs: 1_000 });
  state.isHeldUp = true;
  vi.advanceTimersByTime(5_500);
  expect(reached).toEqual([]);
  state.isHeldUp = false;
  made.outputCame();
  vi.advanceTimersByTime(1_000);
  expect(reached).toEqual([['idle_timeout', 6_500]]);
});

test('the offline limit counts from when the control plane was last in reach', () => {
  const { reached, state } = limits({ maxOfflineMs: 1_000 });
  vi.advanceTimersByTime(5_300);
  state.offlineSince = 5_300;
  vi.advanceTimersByTime(500);
  state.offlineSince = null;
  vi.advanceTimersByTime(100);
  state.offlineSince = 5_900;
  vi.advanceTimersByTime(999);
  expect(reached).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(reached).toEqual([['offline_limit', 6_900]]);
});

test('a run that never was in reach ends when its limit is over', () => {
  const { reached, state } = limits({ maxOfflineMs: 1_000 });
  state.offlineSince = 0;
  vi.advanceTimersByTime(1_000);
  expect(reached).toEqual([['offline_limit', 1_000]]);
});

test('a command that is over has no limits any more', () => {
  const { made, reached } = limits({ timeoutMs: 10, idleTimeoutMs: 10, maxOfflineMs: 10 });
  made.clear();
  vi.advanceTimersByTime(1_000);
  expect(reached).toEqual([]);
});
