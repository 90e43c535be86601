import { afterAll, afterEach, assert, beforeEach, expect, test, vi } from 'vitest';
import type { Killing } from '#protocol/wrapper-link';
import { NOT_ENDING, SIGKILL_REPEAT_MS, type Termination } from '../../src/kill/decide.ts';
import { killTree } from '../../src/kill/kill-tree.ts';
import { type KillableTree, Terminator } from '../../src/kill/terminator.ts';
import { silent } from '../support/silent-log.ts';

const COMMAND = '01J00000000000000000000001';

// The files of a worker share their modules: those that are mocked here are loaded for this file, and again for the next.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

vi.mock('node:perf_hooks', () => ({ performance: { now: () => globalThis.performance.now() } }));

// The clock by which the age of a run is measured, and the timers.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function terminator(group: Partial<KillableTree>, state: Termination = NOT_ENDING) {
  const signals: string[] = [];
  const steps: Killing[] = [];
  const since = performance.now();
  const made = new Terminator(
    {
      members: () => [1],
      leaderHasExited: () => false,
      mayHoldOutput: () => true,
      related: () => [],
      includeRelated: () => {},
      signal: (...sent) => {
        signals.push(...sent);
        return performance.now();
      },
      ...group,
    },
    () => Math.round(performance.now() - since),
    (step) => steps.push(step),
    silent,
    state,
  );
  const kill = (signal: string, graceMs: number, receivedAt = performance.now()) =>
    made.request({ cause: { kind: 'operator', kill: COMMAND }, signal, graceMs, receivedAt });
  return { made, kill, signals, steps, phases: () => steps.map((step) => step.phase) };
}

test('an exit that has not been collected yet came first all the same', () => {
  const { kill, signals, phases } = terminator({ leaderHasExited: () => true });
  kill('SIGTERM', 1_000);
  expect(phases()).toEqual(['refused']);
  expect(signals).toEqual([]);
});

test('a process list that can not be read does not keep SIGKILL from being sent, and nobody is said to be gone', async () => {
  let isReadable = false;
  const { made, kill, signals, phases } = terminator({
    members: () => {
      if (!isReadable) throw new Error('EMFILE');
      return [];
    },
  });
  kill('SIGTERM', 50);
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(49);
  expect(signals).toEqual(['SIGTERM', 'SIGCONT']);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(signals.filter((signal) => signal === 'SIGKILL').length).toBeGreaterThan(2);
  expect(phases()).toEqual(['term', 'kill']);
  isReadable = true;
  await vi.advanceTimersByTimeAsync(1_000);
  await made.over();
  expect(phases()).toEqual(['term', 'kill', 'gone']);
});

test('it is over when nobody is left, and not before', async () => {
  let members = [1, 2];
  const { made, kill, phases } = terminator({ members: () => members });
  kill('SIGTERM', 60_000);
  made.leaderExited();
  let over = false;
  const waiting = made.over().then(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(over).toBe(false);
  members = [];
  await vi.advanceTimersByTimeAsync(100);
  await waiting;
  expect(phases()).toEqual(['term', 'gone']);
});

test('what holds the output without being a survivor is reported too', async () => {
  const { made, kill, steps } = terminator({ members: () => [7, 8], mayHoldOutput: (pid) => pid === 9 });
  made.watchOutput({ isOpen: () => true, drain: () => {} });
  kill('SIGTERM', 0);
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(SIGKILL_REPEAT_MS + 1_000);
  await made.over();
  expect(steps.at(-1)).toMatchObject({ phase: 'gone', survivors: [7, 8], unnamed_survivors: true });
});

test('it is over at the very moment at which the output ends', async () => {
  let isOpen = true;
  let drained = 0;
  const { made, kill, phases } = terminator({ members: () => [] });
  made.watchOutput({ isOpen: () => isOpen, drain: () => (drained += 1) });
  kill('SIGTERM', 60_000);
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(1_000);
  expect([phases(), drained]).toEqual([['term'], 1]);
  isOpen = false;
  made.outputEnded();
  expect(phases()).toEqual(['term', 'gone']);
});

test('a SIGKILL cuts a grace short at once', async () => {
  let members = [1];
  const signals: string[] = [];
  const { made, kill } = terminator({
    members: () => members,
    signal: (...sent) => {
      if (sent.includes('SIGKILL')) members = [];
      return signals.push(...sent);
    },
  });
  made.request({ cause: { kind: 'timeout' }, signal: 'SIGTERM', graceMs: 3_600_000 });
  kill('SIGKILL', 3_600_000);
  expect(signals).toEqual(['SIGTERM', 'SIGCONT', 'SIGKILL']);
  made.leaderExited();
  await made.over();
  expect(made.stage).toEqual({ kind: 'gone', reason: 'timeout', survivors: [], unnamedSurvivors: false });
});

test('a process tree without a wrapper is killed although its leader has long exited', async () => {
  let members = [7, 8];
  const signals: string[] = [];
  const ended = killTree(
    {
      members: () => members,
      leaderHasExited: () => true,
      mayHoldOutput: () => true,
      related: () => [],
      includeRelated: () => {},
      signal: (...sent) => {
        if (sent.includes('SIGKILL')) members = [];
        return signals.push(...sent);
      },
    },
    { signal: 'SIGTERM', graceMs: 30 },
    silent,
  );
  await vi.advanceTimersByTimeAsync(130);
  expect(await ended).toEqual([]);
  expect(signals).toEqual(['SIGTERM', 'SIGCONT', 'SIGKILL']);
});

test('of a process tree without a wrapper, too, survivors are reported', async () => {
  const tree = {
    members: () => [7, 8],
    leaderHasExited: () => true,
    mayHoldOutput: () => true,
    related: () => [],
    includeRelated: () => {},
    signal: () => null,
  };
  const ended = killTree(tree, { signal: 'SIGTERM', graceMs: 0 }, silent);
  await vi.advanceTimersByTimeAsync(SIGKILL_REPEAT_MS + 1_000);
  expect(await ended).toEqual([7, 8]);
});

test('what is left alone may hold the output: that all is gone is said all the same', async () => {
  const { made, kill, steps } = terminator({
    members: () => [],
    mayHoldOutput: (pid) => pid === 9,
    related: () => [{ pid: 9, ppid: 1, isKept: true }],
  });
  made.watchOutput({ isOpen: () => true, drain() {} });
  kill('SIGTERM', 1_000);
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(100);
  expect(steps.at(-1)).toMatchObject({ phase: 'gone', survivors: [], unnamed_survivors: false });
});

test('a successor continues to include what its predecessor was asked to', () => {
  let isIncluded = false;
  const tree = {
    members: () => [7],
    leaderHasExited: () => false,
    mayHoldOutput: () => true,
    related: () => [],
    includeRelated: () => {
      isIncluded = true;
    },
    signal: () => 0,
  };
  new Terminator(
    tree,
    () => 0,
    () => {},
    silent,
    { ...NOT_ENDING, includesRelated: true },
  );
  expect(isIncluded).toBe(true);
});

test('a kill is timed on this machine from when it was received', async () => {
  let members = [1];
  const { made, kill, steps } = terminator({ members: () => members });
  const receivedAt = performance.now();
  await vi.advanceTimersByTimeAsync(3);
  kill('SIGTERM', 60_000, receivedAt);
  await vi.advanceTimersByTimeAsync(4);
  const [term] = steps;
  assert(term !== undefined);
  expect(made.withTiming(term).timing).toEqual({ first_signal_ms: 3, last_process_gone_ms: null, sent_ms: 7 });
  members = [];
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(2);
  const gone = steps.at(-1);
  assert(gone?.phase === 'gone');
  expect(made.withTiming(gone).timing).toEqual({ first_signal_ms: 3, last_process_gone_ms: 7, sent_ms: 9 });
  // A repeat changes nothing.
  kill('SIGTERM', 60_000);
  expect(made.withTiming(gone).timing).toMatchObject({ first_signal_ms: 3, sent_ms: 9 });
});

test('a kill that an earlier process received is not timed, nor are the run’s own steps', () => {
  const first = terminator({});
  first.kill('SIGTERM', 60_000);
  const successor = terminator({}, first.made.termination);
  successor.kill('SIGTERM', 60_000);
  successor.made.request({ cause: { kind: 'timeout' }, signal: 'SIGTERM', graceMs: 60_000 });
  expect(successor.steps.map((step) => successor.made.withTiming(step).timing)).toEqual([undefined, undefined]);
});

test('what could not be ended is not timed as gone', async () => {
  const { made, kill, steps } = terminator({ members: () => [7] });
  kill('SIGKILL', 0);
  made.leaderExited();
  await vi.advanceTimersByTimeAsync(SIGKILL_REPEAT_MS + 1_000);
  const gone = steps.at(-1);
  assert(gone?.phase === 'gone');
  expect(made.withTiming(gone).timing).toMatchObject({ first_signal_ms: 0, last_process_gone_ms: null });
});

test('the signal comes first, then what is announced, then the report', () => {
  const story: string[] = [];
  const made = new Terminator(
    {
      members: () => [1],
      leaderHasExited: () => false,
      mayHoldOutput: () => true,
      related: () => [],
      includeRelated: () => story.push('include'),
      signal: (...signals) => story.push(...signals),
    },
    () => 0,
    ({ phase }) => story.push(phase),
    silent,
  );
  const announce = (isFirst: boolean) => void story.push(isFirst ? 'killed' : 'another kill');
  const request = { cause: { kind: 'operator', kill: COMMAND }, graceMs: 1, includeRelated: true } as const;
  made.request({ ...request, signal: 'SIGTERM' }, announce);
  expect(story).toEqual(['include', 'SIGTERM', 'SIGCONT', 'killed', 'term']);
  story.length = 0;
  made.request({ cause: { kind: 'timeout' }, signal: 'SIGKILL', graceMs: 0 }, announce);
  expect(story).toEqual(['SIGKILL', 'another kill', 'kill', 'kill']);
});
