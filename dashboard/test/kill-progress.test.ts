import { describe, expect, test } from 'vitest';
import { killProgress } from '../src/state/kill-progress.ts';
import type { Related } from '../src/state/related.ts';
import { at, KILL_ID, makeKill, makeRun, RUN_ID, story } from './make.ts';

const requested = {
  at: at(10),
  type: 'kill_requested',
  kill: KILL_ID,
  requested_by: 'ops',
  reason: null,
  signal: 'SIGTERM',
  grace_ms: 5000,
  include: null,
} as const;
const sent = { at: at(10), type: 'kill_sent', kill: KILL_ID } as const;
const delivered = { at: at(11), type: 'kill_delivered', kill: KILL_ID } as const;
const phase = (name: 'term' | 'kill' | 'gone' | 'refused', seconds: number) =>
  ({
    at: at(seconds),
    type: 'kill_progress',
    kill: KILL_ID,
    reason: 'operator',
    phase: name,
    signal: name === 'term' ? 'SIGTERM' : name === 'kill' ? 'SIGKILL' : null,
    survivors: [] as number[],
    unnamed_survivors: false,
    related: [] as Related[],
  }) as const;
const target = (state: 'pending' | 'sent' | 'delivered' | 'term') => ({
  run: RUN_ID,
  machine: 'web-1',
  state,
  signal: 'SIGTERM',
  exit_code: null,
  survivors: [],
  unnamed_survivors: false,
  related: [] as Related[],
  related_count: 0,
  timing: null,
});

const killing = makeRun({ state: 'killing' });
const states = (progress: ReturnType<typeof killProgress>) =>
  Object.fromEntries((progress?.steps ?? []).map((step) => [step.name, step.state]));

test('nothing asked, nothing to tell', () => {
  expect(killProgress(makeRun(), story(), [])).toBeNull();
  const elsewhere = makeKill({ run: '01J00000000000000000000009' });
  expect(killProgress(makeRun(), story(), [elsewhere])).toBeNull();
});

test('each step is done when it has happened and not before', () => {
  const whole = [requested, delivered, phase('term', 12), phase('kill', 17), phase('gone', 18)];
  const names = ['requested', 'delivered', 'term', 'kill', 'gone'];
  for (let happened = 1; happened <= whole.length; happened += 1) {
    const { steps, outcome } = killProgress(killing, story(...whole.slice(0, happened)), []) ?? { steps: [] };
    expect(steps.filter((step) => step.state === 'done').map((step) => step.name)).toEqual(names.slice(0, happened));
    expect(outcome).toBe(happened === whole.length ? 'gone' : 'under_way');
  }
});

test('the answer to the call is enough to say that it is requested', () => {
  const progress = killProgress(makeRun(), story(), [makeKill({ targets: [target('pending')] })]);
  expect(states(progress)).toEqual({ requested: 'done', delivered: 'next', term: 'open', kill: 'open', gone: 'open' });
});

test('what was sent is not delivered before confirmed by the machine', () => {
  const isUnanswered = (...events: Parameters<typeof story>) => {
    const progress = killProgress(killing, story(...events), []);
    return [progress?.isUnanswered, states(progress).delivered];
  };
  expect(isUnanswered(requested)).toEqual([false, 'next']);
  expect(isUnanswered(requested, sent)).toEqual([true, 'next']);
  expect(isUnanswered(requested, sent, delivered)).toEqual([false, 'done']);
  expect(isUnanswered(requested, sent, phase('term', 12))).toEqual([false, 'done']);
  const byTarget = killProgress(killing, story(requested), [makeKill({ targets: [target('sent')] })]);
  expect([byTarget?.isUnanswered, states(byTarget).delivered]).toEqual([true, 'next']);
});

test('a kill’s target reports a step whose event is still on its way', () => {
  const progress = killProgress(killing, story(requested), [makeKill({ targets: [target('term')] })]);
  expect(states(progress)).toMatchObject({ delivered: 'done', term: 'done', kill: 'next' });
});

describe('the grace', () => {
  const end = (...events: Parameters<typeof story>) => killProgress(killing, story(...events), [])?.graceEndsAt ?? null;

  test('runs from the first signal', () => {
    expect(end(requested, delivered)).toBeNull();
    expect(end(requested, delivered, phase('term', 12))).toBe(Date.parse(at(17)));
    expect(end(requested, delivered, phase('term', 12), phase('kill', 14))).toBeNull();
  });

  test('is shortened by a second kill and never started again', () => {
    const second = '01J00000000000000000000003';
    const again = (grace_ms: number, seconds: number) =>
      [
        { ...requested, kill: second, grace_ms, at: at(seconds) },
        { ...delivered, kill: second, at: at(seconds) },
      ] as const;
    const first = [requested, delivered, phase('term', 12)] as const;
    expect(end(...first, ...again(1000, 13))).toBe(Date.parse(at(14)));
    expect(end(...first, ...again(60_000, 13))).toBe(Date.parse(at(17)));
  });

  test.each(['timeout', 'memory_limit', 'cpu_limit'] as const)(
    'is the run’s own when the wrapper ends it: %s',
    (reason) => {
      const own = { ...phase('term', 12), kill: null, reason } as const;
      const progress = killProgress(makeRun({ state: 'killing', grace_ms: 9000 }), story(own), []);
      expect(progress).toMatchObject({ ownReason: reason, graceEndsAt: Date.parse(at(21)) });
      expect(states(progress)).toEqual({ term: 'done', kill: 'next', gone: 'open' });
    },
  );
});

describe('ends', () => {
  const ended = makeRun({ state: 'killed', final: true, exit_code: 143 });

  test('SIGKILL was not needed', () => {
    const progress = killProgress(ended, story(requested, delivered, phase('term', 12), phase('gone', 13)), []);
    expect(states(progress)).toMatchObject({ kill: 'skipped', gone: 'done' });
  });

  test('SIGKILL immediately is one step', () => {
    const immediate = { ...requested, signal: 'SIGKILL', grace_ms: 0 } as const;
    for (const first of [phase('kill', 12), { ...phase('term', 12), signal: 'SIGKILL' }]) {
      const progress = killProgress(ended, story(immediate, delivered, first, phase('gone', 13)), []);
      expect(states(progress)).toEqual({ requested: 'done', delivered: 'done', kill: 'done', gone: 'done' });
    }
  });

  test('too late: it had ended by itself', () => {
    const over = makeRun({ state: 'succeeded', final: true, exit_code: 0 });
    expect(killProgress(over, story(requested), [])?.outcome).toBe('refused');
    expect(killProgress(over, story(requested, delivered, phase('refused', 12)), [])?.outcome).toBe('refused');
  });

  test('lost on the way stays open', () => {
    const lost = makeRun({ state: 'lost', connected: false });
    const progress = killProgress(lost, story(requested, delivered), []);
    expect(progress?.outcome).toBe('lost');
    expect(states(progress)).toMatchObject({ delivered: 'done', term: 'open', gone: 'open' });
  });

  test('what survived is reported', () => {
    const gone = { ...phase('gone', 13), survivors: [77] };
    expect(killProgress(ended, story(requested, delivered, gone), [])?.survivors).toMatchObject({ survivors: [77] });
    const unnamed = { ...phase('gone', 13), unnamed_survivors: true };
    expect(killProgress(ended, story(requested, delivered, unnamed), [])?.survivors).toMatchObject({
      survivors: [],
      unnamed_survivors: true,
    });
  });
});

test('while the machine is away the kill waits', () => {
  const away = makeRun({ connected: false });
  expect(killProgress(away, story(requested), [])?.waitingForMachine).toBe(true);
});

test('a kill of another job’s run with the same id is none of this one', () => {
  const theirs = makeKill({ job: 'evil', targets: [target('term')] });
  expect(killProgress(makeRun(), [], [theirs])).toBe(null);
});

describe('of what a run has left running', () => {
  const LEFT = [{ pid: 4711, command_line: 'sleep 1000' }];
  const ended = {
    at: at(20),
    type: 'ended',
    state: 'killed',
    exit_code: 143,
    reason: 'operator',
    duration_ms: 20_000,
  } as const;
  const left = { at: at(20), type: 'left_running', processes: LEFT } as const;
  const over = { state: 'killed', final: true, ended_at: at(20), exit_code: 143 } as const;
  const before = [requested, delivered, phase('term', 12), phase('gone', 13), ended, left] as const;
  const run = makeRun({ ...over, connected: true, left_running: LEFT });

  test('a new kill is a separate one, and the one before is shown until it exists', () => {
    expect(killProgress(run, story(...before), [])).toMatchObject({ outcome: 'gone', isAfterEnd: false });
    const second = '01J00000000000000000000003';
    const again = makeKill({ id: second, requested_at: at(30), targets: [target('pending')] });
    const progress = killProgress(run, story(...before), [makeKill({ requested_at: at(10) }), again]);
    expect(progress).toMatchObject({ outcome: 'under_way', isAfterEnd: true, kills: [{ id: second }] });
    expect(states(progress)).toMatchObject({ requested: 'done', delivered: 'next', term: 'open' });
    const ofSecond = <Event extends object>(event: Event) => ({ ...event, kill: second });
    const events = [...before, ...[requested, delivered, phase('term', 32)].map(ofSecond)];
    expect(states(killProgress(run, story(...events), [again]))).toMatchObject({ term: 'done', gone: 'open' });
    const nothing = { at: at(34), type: 'left_running', processes: [] as typeof LEFT } as const;
    const whole = story(...events, ofSecond(phase('gone', 33)), nothing);
    expect(killProgress(makeRun(over), whole, [again])).toMatchObject({ outcome: 'gone', isAfterEnd: true });
  });

  test('a kill that came when nothing was left is shown as too late', () => {
    const nothing = { at: at(25), type: 'left_running', processes: [] as typeof LEFT } as const;
    const late = makeKill({ requested_at: at(30), targets: [{ ...target('pending'), state: 'refused' }] });
    const events = story(ended, left, nothing);
    expect(killProgress(makeRun(over), events, [late])).toMatchObject({ outcome: 'refused', isAfterEnd: true });
  });
});
