import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LimitKind, Limits, type LimitsMs } from '../../src/run/limits.ts';

const NONE: LimitsMs = { timeoutMs: null, idleTimeoutMs: null, maxOfflineMs: null };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A turn of the real event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await turn();
}

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

test('without limits nothing ever happens', async () => {
  const { reached } = limits({});
  await pass(1e9);
  expect(reached).toEqual([]);
});

test('the hard limit is reached once, however much is printed', async () => {
  const { made, reached } = limits({ timeoutMs: 1_000 });
  for (let each = 0; each < 30; each += 1) {
    made.countSilenceFromNow();
    await pass(100);
  }
  expect(reached).toEqual([['timeout', 1_000]]);
});

test('the idle limit counts from the last output', async () => {
  const { made, reached } = limits({ idleTimeoutMs: 1_000 });
  await pass(900);
  made.countSilenceFromNow();
  await pass(999);
  expect(reached).toEqual([]);
  await pass(1);
  expect(reached).toEqual([['idle_timeout', 1_900]]);
});

test('a command that can not print because nobody reads is not idle', async () => {
  const { made, reached, state } = limits({ idleTimeoutMs: 1_000 });
  state.isHeldUp = true;
  await pass(5_500);
  expect(reached).toEqual([]);
  state.isHeldUp = false;
  made.countSilenceFromNow();
  await pass(1_000);
  expect(reached).toEqual([['idle_timeout', 6_500]]);
});

test('its silence counts from when it could print again, not from what it printed before', async () => {
  const { made, reached, state } = limits({ idleTimeoutMs: 1_000 });
  state.isHeldUp = true;
  await pass(2_999);
  state.isHeldUp = false;
  made.countSilenceFromNow();
  // The alarm rings before the command has had the time to print.
  await pass(999);
  expect(reached).toEqual([]);
});

test('what has come while we were not looking is looked at first', async () => {
  const { made, reached } = limits({ idleTimeoutMs: 1_000 });
  vi.advanceTimersByTime(60_000);
  made.countSilenceFromNow();
  await turn();
  expect(reached).toEqual([]);
  vi.advanceTimersByTime(1_000);
  await turn();
  expect(reached).toEqual([['idle_timeout', 61_000]]);
});

test('a command that has ended meanwhile has reached nothing', async () => {
  const { made, reached } = limits({ timeoutMs: 1_000 });
  vi.advanceTimersByTime(1_000);
  made.clear();
  await turn();
  expect(reached).toEqual([]);
});

test('the offline limit counts from when the control plane was last in reach', async () => {
  const { reached, state } = limits({ maxOfflineMs: 1_000 });
  await pass(5_300);
  state.offlineSince = 5_300;
  await pass(500);
  state.offlineSince = null;
  await pass(100);
  state.offlineSince = 5_900;
  await pass(999);
  expect(reached).toEqual([]);
  await pass(1);
  expect(reached).toEqual([['offline_limit', 6_900]]);
});

test('a run that never was in reach ends when its limit is over', async () => {
  const { reached, state } = limits({ maxOfflineMs: 1_000 });
  state.offlineSince = 0;
  await pass(1_000);
  expect(reached).toEqual([['offline_limit', 1_000]]);
});

test('a command that is over has no limits any more', async () => {
  const { made, reached } = limits({ timeoutMs: 10, idleTimeoutMs: 10, maxOfflineMs: 10 });
  made.clear();
  await pass(1_000);
  expect(reached).toEqual([]);
});
