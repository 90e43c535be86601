import { describe, expect, test } from 'vitest';
import type { LastEnd } from '#protocol/api';
import { machineCount, NO_LAST_ENDS, withEnd, withListed } from '../src/state/last-ends.ts';
import type { Store } from '../src/state/store.ts';
import { at, makeEnd, makeJob, makeLastEnd, makeRun, makeStore, runId } from './make.ts';

const bad = makeLastEnd({ run: runId(1), state: 'failed', exit_code: 2, ended_at: at(10) });
const good = makeLastEnd({ run: runId(2), ended_at: at(20) });
const jobOf = (...ends: LastEnd[]) =>
  makeJob({ recent_ends: ends.map((end) => makeEnd({ ...end, started_at: at(0) })) });

const lastEnds = (store: Store) =>
  [...(store.jobs.value.get('backup')?.lastEnds.byMachine.values() ?? [])].map(({ machine, run, state }) => [
    machine,
    run,
    state,
  ]);

test('of two ends on a machine the later one counts, whichever is reported first', () => {
  for (const ends of [
    [bad, good],
    [good, bad],
  ]) {
    expect(ends.reduce(withEnd, NO_LAST_ENDS).byMachine).toEqual(new Map([['web-1', good]]));
    const [first = bad, second = bad] = ends;
    expect(withListed(withEnd(NO_LAST_ENDS, first), jobOf(second)).byMachine).toEqual(new Map([['web-1', good]]));
  }
});

test('a run that was skipped counts only where there is no other end', () => {
  const skipped = makeLastEnd({ run: runId(3), state: 'skipped', exit_code: 75, ended_at: at(30) });
  for (const ends of [
    [bad, skipped],
    [skipped, bad],
  ]) {
    expect(ends.reduce(withEnd, NO_LAST_ENDS).byMachine).toEqual(new Map([['web-1', bad]]));
    const [first = bad, second = bad] = ends;
    expect(withListed(withEnd(NO_LAST_ENDS, first), jobOf(second)).byMachine).toEqual(new Map([['web-1', bad]]));
  }
  expect(withEnd(NO_LAST_ENDS, skipped).byMachine).toEqual(new Map([['web-1', skipped]]));
});

describe('a lost run', () => {
  const lost = makeRun({ id: runId(3), state: 'lost', exit_code: 253, ended_at: at(30), seq: 2 });

  test('that may come back leaves the last end as it was', () => {
    expect(lastEnds(makeStore({ jobs: [jobOf(good)] }, { runs: [lost] }))).toEqual([['web-1', good.run, 'succeeded']]);
  });

  test('that came back ends as it ends then', () => {
    const back = [{ jobs: [jobOf(bad)] }, { runs: [lost, makeRun({ id: lost.id, seq: 3 })] }];
    const over = makeRun({ ...lost, state: 'succeeded', final: true, exit_code: 0, ended_at: at(40), seq: 4 });
    expect(lastEnds(makeStore(...back, { runs: [over] }))).toEqual([['web-1', lost.id, 'succeeded']]);
  });

  test('that is lost for good is the last end', () => {
    const store = makeStore({ jobs: [jobOf(good)] }, { runs: [{ ...lost, final: true }] });
    expect(lastEnds(store)).toEqual([['web-1', lost.id, 'lost']]);
  });
});

describe('what the control plane has removed', () => {
  const known = () => makeStore({ jobs: [jobOf(bad)] });

  test('is not the last end', () => {
    const store = known();
    store.apply({ removedRuns: [{ job: 'backup', id: bad.run, seq: 9 }] });
    expect(lastEnds(store)).toEqual([]);
  });

  test('is missing in a complete list', () => {
    const listed = known();
    listed.removeUnlisted(listed.jobs.value.values(), [jobOf()]);
    expect(lastEnds(listed)).toEqual([]);
    const store = known();
    store.removeUnlisted(store.jobs.value.values(), []);
    expect(store.jobs.value.size).toBe(0);
  });

  test('is neither what was reported after the list was requested, nor what a list only counts', () => {
    const store = known();
    const before = store.jobs.value.values();
    store.apply({ runs: [makeRun({ id: runId(4), state: 'failed', final: true, ended_at: at(60), seq: 5 })] });
    store.removeUnlisted(before, [jobOf()]);
    expect(lastEnds(store)).toEqual([['web-1', runId(4), 'failed']]);
    const truncated = { ...jobOf(), last_end_counts: jobOf(bad).last_end_counts };
    const other = known();
    other.removeUnlisted(other.jobs.value.values(), [truncated]);
    expect(lastEnds(other)).toEqual([['web-1', bad.run, 'failed']]);
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
