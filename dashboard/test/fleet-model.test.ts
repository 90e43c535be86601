import { describe, expect, test } from 'vitest';
import {
  EMPTY_FLEET,
  type Fleet,
  withJobs,
  withoutForgotten,
  withoutJob,
  withoutRun,
  withoutUnlisted,
  withRuns,
} from '../src/state/fleet-model.ts';
import { refOf } from '../src/state/run-ref.ts';
import { at, makeEnd, makeJob, makeRun, runId } from './make.ts';

const alive = makeRun({ seq: 3 });
const over = makeRun({ seq: 5, state: 'failed', final: true, exit_code: 2, ended_at: at(9) });
const lost = makeRun({ seq: 4, state: 'lost', final: false, exit_code: 253, ended_at: at(9) });

const openIds = (fleet: Fleet) => [...fleet.open.values()].map(({ id }) => id);
const ends = (fleet: Fleet) => fleet.jobs.get('backup')?.ends.map(({ run, state }) => [run, state]);

describe('a run', () => {
  test('that lives is open, and its job is known', () => {
    const fleet = withRuns(EMPTY_FLEET, [alive]);
    expect(openIds(fleet)).toEqual([alive.id]);
    expect(ends(fleet)).toEqual([]);
  });

  test('that ends is open no more, and is the last end of its job', () => {
    const fleet = withRuns(withRuns(EMPTY_FLEET, [alive]), [over]);
    expect(openIds(fleet)).toEqual([]);
    expect(ends(fleet)).toEqual([[over.id, 'failed']]);
  });

  test('that has ended is not brought back by what was read before', () => {
    const fleet = withRuns(EMPTY_FLEET, [over]);
    expect(withRuns(fleet, [alive])).toBe(fleet);
  });

  test('that is lost and may come back is both open and an end, until it does', () => {
    const fleet = withRuns(EMPTY_FLEET, [lost]);
    expect(openIds(fleet)).toEqual([lost.id]);
    expect(ends(fleet)).toEqual([[lost.id, 'lost']]);
    const back = withRuns(fleet, [makeRun({ seq: 6 })]);
    expect(openIds(back)).toEqual([lost.id]);
    expect(ends(back)).toEqual([]);
  });

  test('of which nothing new is told leaves everything as it was', () => {
    const fleet = withRuns(EMPTY_FLEET, [alive]);
    expect(withRuns(fleet, [alive, makeRun({ seq: 2 })])).toBe(fleet);
  });
});

describe('two runs with the same id, of two jobs,', () => {
  const evil = makeRun({ ...alive, job: 'evil', seq: 90 });
  const jobs = (fleet: Fleet) => [...fleet.open.values()].map(({ job }) => job);
  const both = withRuns(EMPTY_FLEET, [alive, evil]);

  test('are both there, whichever came first', () => {
    expect(jobs(both)).toEqual(['backup', 'evil']);
    expect(jobs(withRuns(EMPTY_FLEET, [evil, alive]))).toEqual(['evil', 'backup']);
  });

  test('each end, change and go by themselves', () => {
    const ended = withRuns(both, [{ ...evil, state: 'failed', final: true, ended_at: at(9), seq: 99 }]);
    expect(jobs(ended)).toEqual(['backup']);
    expect(ends(ended)).toEqual([]);
    // The end of the one is no reason not to believe that the other lives.
    expect(jobs(withRuns(ended, [makeRun({ ...alive, state: 'killing', seq: 4 })]))).toEqual(['backup']);
    expect(jobs(withRuns(withoutForgotten(ended, [{ job: 'evil', id: evil.id, seq: 100 }]), []))).toEqual(['backup']);
    expect(jobs(withoutForgotten(both, [{ job: 'evil', id: evil.id, seq: 100 }]))).toEqual(['backup']);
    expect(jobs(withoutRun(both, refOf(evil)))).toEqual(['backup']);
  });
});

describe('the list of jobs', () => {
  test('brings last ends, which what is known already outweighs', () => {
    const known = withRuns(EMPTY_FLEET, [over]);
    const list = [makeJob({ recent_ends: [makeEnd({ run: over.id, state: 'lost' }), makeEnd({ run: runId(9) })] })];
    expect(ends(withJobs(known, list))).toEqual([
      [over.id, 'failed'],
      [runId(9), 'succeeded'],
    ]);
  });

  test('does not make an end of a run that has come back since', () => {
    const known = withRuns(EMPTY_FLEET, [alive]);
    expect(ends(withJobs(known, [makeJob({ recent_ends: [makeEnd({ run: alive.id, state: 'lost' })] })]))).toEqual([]);
  });

  test('keeps the twenty latest ends', () => {
    const list = Array.from({ length: 25 }, (_, n) => makeEnd({ run: runId(n), started_at: at(0), ended_at: at(n) }));
    const fleet = withJobs(EMPTY_FLEET, [makeJob({ recent_ends: list })]);
    expect(fleet.jobs.get('backup')?.ends.map(({ run }) => run)).toEqual(
      Array.from({ length: 20 }, (_, n) => runId(24 - n)),
    );
  });
});

describe('what is kept no longer', () => {
  const [old, recent] = [makeEnd({ run: runId(7), ended_at: at(7) }), makeEnd({ run: runId(8), ended_at: at(8) })];
  const known = withJobs(EMPTY_FLEET, [makeJob({ recent_ends: [recent, old] })]);
  const gone = (id: string, seq = 9) => [{ job: 'backup', id, seq }];

  test('goes as an end of its job, and as a run that may come back', () => {
    expect(ends(withoutForgotten(known, gone(old.run)))).toEqual([[recent.run, 'succeeded']]);
    const mayComeBack = withRuns(EMPTY_FLEET, [lost]);
    const without = withoutForgotten(mayComeBack, gone(lost.id));
    expect([openIds(without), ends(without)]).toEqual([[], []]);
  });

  test('does not take away what came afresh with the same id, or is of another job', () => {
    for (const newer of [makeRun({ seq: 10 }), makeRun({ ...over, seq: 10 })]) {
      const fleet = withRuns(EMPTY_FLEET, [newer]);
      expect(withoutForgotten(fleet, gone(newer.id))).toBe(fleet);
    }
    expect(withoutForgotten(known, [{ job: 'other', id: old.run, seq: 9 }])).toBe(known);
  });

  test('takes its job along when that is told of, and nothing of it is known', () => {
    expect(withoutJob(known, 'backup')).toBe(known);
    const fresh = withRuns(EMPTY_FLEET, [alive]);
    expect(withoutJob(fresh, 'backup')).toBe(fresh);
    const empty = withoutForgotten(known, [...gone(old.run), ...gone(recent.run)]);
    expect(withoutJob(empty, 'backup').jobs.size).toBe(0);
  });

  test('is found out by a whole list when nobody was there to hear of it', () => {
    expect(ends(withoutUnlisted(known, known, [makeJob({ recent_ends: [recent] })]))).toEqual([
      [recent.run, 'succeeded'],
    ]);
    expect(withoutUnlisted(known, known, []).jobs.size).toBe(0);
    // What was heard of after the list was asked for stays.
    const since = withRuns(known, [over, makeRun({ id: runId(11), job: 'new' })]);
    const after = withoutUnlisted(since, known, []);
    expect(ends(after)).toEqual([[over.id, 'failed']]);
    expect(openIds(after)).toEqual([runId(11)]);
    expect([...after.jobs.keys()]).toEqual(['backup', 'new']);
  });
});
