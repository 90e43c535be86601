import { describe, expect, test } from 'vitest';
import type { LastEnd } from '#protocol/api';
import {
  EMPTY_FLEET,
  type Fleet,
  withJobs,
  withoutForgotten,
  withoutUnlisted,
  withRuns,
} from '../src/state/fleet-model.ts';
import { machineCount, NO_LAST_ENDS, withEnd, withListed } from '../src/state/last-ends.ts';
import { at, makeEnd, makeJob, makeLastEnd, makeRun, runId } from './make.ts';

const bad = makeLastEnd({ run: runId(1), state: 'failed', exit_code: 2, ended_at: at(10) });
const good = makeLastEnd({ run: runId(2), ended_at: at(20) });
const jobOf = (...ends: LastEnd[]) =>
  makeJob({ recent_ends: ends.map((end) => makeEnd({ ...end, started_at: at(0) })) });

const told = (fleet: Fleet) =>
  [...(fleet.jobs.get('backup')?.lastEnds.byMachine.values() ?? [])].map(({ machine, run, state }) => [
    machine,
    run,
    state,
  ]);

test('of two ends on a machine the later one counts, whichever is told first', () => {
  for (const ends of [
    [bad, good],
    [good, bad],
  ]) {
    expect(ends.reduce(withEnd, NO_LAST_ENDS).byMachine).toEqual(new Map([['web-1', good]]));
    const [first = bad, second = bad] = ends;
    expect(withListed(withEnd(NO_LAST_ENDS, first), jobOf(second)).byMachine).toEqual(new Map([['web-1', good]]));
  }
});

describe('a lost run', () => {
  const lost = makeRun({ id: runId(3), state: 'lost', exit_code: 253, ended_at: at(30), seq: 2 });

  test('that may come back leaves the last end as it was', () => {
    const fleet = withRuns(withJobs(EMPTY_FLEET, [jobOf(good)]), [lost]);
    expect(told(fleet)).toEqual([['web-1', good.run, 'succeeded']]);
  });

  test('that came back ends as it ends then', () => {
    const back = withRuns(withJobs(EMPTY_FLEET, [jobOf(bad)]), [lost, makeRun({ id: lost.id, seq: 3 })]);
    const over = makeRun({ ...lost, state: 'succeeded', final: true, exit_code: 0, ended_at: at(40), seq: 4 });
    expect(told(withRuns(back, [over]))).toEqual([['web-1', lost.id, 'succeeded']]);
  });

  test('that is lost for good is the last end', () => {
    const fleet = withRuns(withJobs(EMPTY_FLEET, [jobOf(good)]), [{ ...lost, final: true }]);
    expect(told(fleet)).toEqual([['web-1', lost.id, 'lost']]);
  });
});

describe('what is kept no longer', () => {
  const known = withJobs(EMPTY_FLEET, [jobOf(bad)]);

  test('is no last end', () => {
    expect(told(withoutForgotten(known, [{ job: 'backup', id: bad.run, seq: 9 }]))).toEqual([]);
  });

  test('is found out by a whole list', () => {
    expect(told(withoutUnlisted(known, known, [jobOf()]))).toEqual([]);
    expect(withoutUnlisted(known, known, []).jobs.size).toBe(0);
  });

  test('is not what has come since the list was asked for, or what a list only counts', () => {
    const since = withRuns(known, [makeRun({ id: runId(4), state: 'failed', final: true, ended_at: at(60), seq: 5 })]);
    expect(told(withoutUnlisted(since, known, [jobOf()]))).toEqual([['web-1', runId(4), 'failed']]);
    const cut = { ...jobOf(), last_end_counts: jobOf(bad).last_end_counts };
    expect(told(withoutUnlisted(known, known, [cut]))).toEqual([['web-1', bad.run, 'failed']]);
  });
});

test('a machine that was only counted is not counted twice when it ends', () => {
  const listed = { ...jobOf(bad), last_end_counts: { ...jobOf(bad).last_end_counts, succeeded: 5 } };
  const known = withListed(NO_LAST_ENDS, listed);
  expect([machineCount(known), known.unlisted]).toEqual([6, { bad: 0, good: 5 }]);
  const ended = withEnd(known, makeLastEnd({ machine: 'web-7', run: runId(7) }));
  expect([machineCount(ended), ended.unlisted]).toEqual([6, { bad: 0, good: 4 }]);
  expect(machineCount(withListed(ended, listed))).toBe(6);
});
