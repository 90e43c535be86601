import { describe, expect, test } from 'vitest';
import { EMPTY_FLEET, type Fleet, withJobs, withRuns } from '../src/state/fleet-model.ts';
import { at, makeEnd, makeJob, makeRun, runId } from './make.ts';

const alive = makeRun({ seq: 3 });
const over = makeRun({ seq: 5, state: 'failed', final: true, exit_code: 2, ended_at: at(9) });
const lost = makeRun({ seq: 4, state: 'lost', final: false, exit_code: 253, ended_at: at(9) });

const openIds = (fleet: Fleet) => [...fleet.open.keys()];
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
