import { describe, expect, test } from 'vitest';
import { unlistedRuns } from '../src/state/resync.ts';
import { refOf } from '../src/state/run-ref.ts';
import { newerOf, type RemovedRun, type Store } from '../src/state/store.ts';
import { at, KILL_ID, makeEnd, makeJob, makeKill, makeRun, makeStore, runId } from './make.ts';

const alive = makeRun({ seq: 3 });
const over = makeRun({ seq: 5, state: 'failed', final: true, exit_code: 2, ended_at: at(9) });
const lost = makeRun({ seq: 4, state: 'lost', final: false, exit_code: 253, ended_at: at(9) });

const openIds = (store: Store) => [...store.open.value.values()].map(({ id }) => id);
const ends = (store: Store) => store.jobs.value.get('backup')?.ends.map(({ run, state }) => [run, state]);
const published = ({ open, ended, jobs, kills }: Store) => [open.value, ended.value, jobs.value, kills.value];

/** Whether it publishes nothing. */
function changesNothing(store: Store, change: () => void): boolean {
  const before = published(store);
  change();
  return published(store).every((table, index) => table === before[index]);
}

describe('of two versions of a run', () => {
  test('the one with the higher seq stays, in whichever order they arrive', () => {
    const older = makeRun({ seq: 3 });
    const newer = makeRun({ seq: 4, state: 'killing' });
    expect(newerOf(older, newer)).toBe(newer);
    expect(newerOf(newer, older)).toBe(newer);
  });

  test('with the same seq the one with more output stays', () => {
    expect(newerOf(makeRun({ output_bytes: 1 }), makeRun({ output_bytes: 2 })).output_bytes).toBe(2);
    expect(newerOf(makeRun({ output_bytes: 2 }), makeRun({ output_bytes: 1 })).output_bytes).toBe(2);
  });
});

test('an open run that no complete list has is fetched by itself', () => {
  const runOf = (n: number, job: string) => makeRun({ id: runId(n), job });
  const [unlisted, listed, updated] = [runOf(1, 'backup'), runOf(2, 'backup'), runOf(3, 'backup')];
  // With the id of a listed one, and of another job.
  const namesake = runOf(2, 'evil');
  const before = new Map([unlisted, listed, updated, namesake].map((run) => [refOf(run), run]));
  const now = new Map(before).set(refOf(updated), makeRun({ id: runId(3), seq: 2 }));
  expect(unlistedRuns(before, now, new Set([refOf(listed)]))).toEqual([unlisted, namesake]);
});

describe('a run', () => {
  test('that is live is open, and its job is known', () => {
    const store = makeStore({ runs: [alive] });
    expect(openIds(store)).toEqual([alive.id]);
    expect(ends(store)).toEqual([]);
  });

  test('that ends is not open any more, and is the last end of its job', () => {
    const store = makeStore({ runs: [alive] }, { runs: [over] });
    expect(openIds(store)).toEqual([]);
    expect(ends(store)).toEqual([[over.id, 'failed']]);
  });

  test('that has ended is not brought back by an older list', () => {
    const store = makeStore({ runs: [over] });
    expect(changesNothing(store, () => store.apply({ runs: [alive] }))).toBe(true);
  });

  test('that is lost and may come back is both open and an end, until it comes back', () => {
    const store = makeStore({ runs: [lost] });
    expect(openIds(store)).toEqual([lost.id]);
    expect(ends(store)).toEqual([[lost.id, 'lost']]);
    store.apply({ runs: [makeRun({ seq: 6 })] });
    expect(openIds(store)).toEqual([lost.id]);
    expect(ends(store)).toEqual([]);
  });

  test('of which nothing new arrives publishes nothing', () => {
    const store = makeStore({ runs: [alive] });
    expect(changesNothing(store, () => store.apply({ runs: [alive, makeRun({ seq: 2 })] }))).toBe(true);
    store.apply({ runs: [over] });
    expect(changesNothing(store, () => store.apply({ runs: [over] }))).toBe(true);
  });
});

describe('an ended run', () => {
  const isOfJob = () => true;
  const endedIds = (store: Store) => [...store.ended.value.values()].map(({ id }) => id);

  test('is stored while a view shows it', () => {
    const store = makeStore({ runs: [over] });
    expect(endedIds(store)).toEqual([]);
    const release = store.retain(isOfJob);
    store.apply({ pastRuns: [over, makeRun({ ...over, id: runId(8) })] });
    expect(endedIds(store)).toEqual([over.id, runId(8)]);
    release();
    expect(endedIds(store)).toEqual([]);
    expect(changesNothing(store, () => store.apply({ runs: [alive] }))).toBe(true);
  });

  test('of a filtered list does not say how its job ended last, unless it was open', () => {
    const store = makeStore({ pastRuns: [over] });
    expect(ends(store)).toEqual([]);
    const open = makeStore({ runs: [alive] }, { pastRuns: [over] });
    expect(ends(open)).toEqual([[over.id, 'failed']]);
  });

  test('that a list does not have any more is dropped, and stored again when a list has it', () => {
    const store = makeStore();
    store.retain(isOfJob);
    store.apply({ runs: [over] });
    store.dropEnded(() => true);
    expect(endedIds(store)).toEqual([]);
    store.apply({ pastRuns: [over] });
    expect(endedIds(store)).toEqual([over.id]);
  });
});

describe('two runs with the same id, of two jobs,', () => {
  const evil = makeRun({ ...alive, job: 'evil', seq: 90 });
  const jobs = (store: Store) => [...store.open.value.values()].map(({ job }) => job);
  const both = () => makeStore({ runs: [alive, evil] });

  test('are both there, whichever came first', () => {
    expect(jobs(both())).toEqual(['backup', 'evil']);
    expect(jobs(makeStore({ runs: [evil, alive] }))).toEqual(['evil', 'backup']);
  });

  test('each end, change and go by themselves', () => {
    const store = both();
    store.apply({ runs: [{ ...evil, state: 'failed', final: true, ended_at: at(9), seq: 99 }] });
    expect(jobs(store)).toEqual(['backup']);
    expect(ends(store)).toEqual([]);
    // The end of the one is no reason not to believe that the other lives.
    store.apply({ runs: [makeRun({ ...alive, state: 'killing', seq: 4 })] });
    expect(jobs(store)).toEqual(['backup']);
    const removedRuns = [{ job: 'evil', id: evil.id, seq: 100 }];
    store.apply({ removedRuns });
    expect(jobs(store)).toEqual(['backup']);
    const other = both();
    other.apply({ removedRuns });
    expect(jobs(other)).toEqual(['backup']);
    const third = both();
    third.remove(refOf(evil));
    expect(jobs(third)).toEqual(['backup']);
  });
});

describe('the list of jobs', () => {
  test('brings last ends, but none newer than what is known', () => {
    const list = [makeJob({ recent_ends: [makeEnd({ run: over.id, state: 'lost' }), makeEnd({ run: runId(9) })] })];
    expect(ends(makeStore({ runs: [over] }, { jobs: list }))).toEqual([
      [over.id, 'failed'],
      [runId(9), 'succeeded'],
    ]);
  });

  test('does not make an end of a run that has come back since', () => {
    const jobs = [makeJob({ recent_ends: [makeEnd({ run: alive.id, state: 'lost' })] })];
    expect(ends(makeStore({ runs: [alive] }, { jobs }))).toEqual([]);
  });

  test('keeps the twenty latest ends', () => {
    const list = Array.from({ length: 25 }, (_, n) => makeEnd({ run: runId(n), started_at: at(0), ended_at: at(n) }));
    const store = makeStore({ jobs: [makeJob({ recent_ends: list })] });
    expect(store.jobs.value.get('backup')?.ends.map(({ run }) => run)).toEqual(
      Array.from({ length: 20 }, (_, n) => runId(24 - n)),
    );
  });
});

describe('what the control plane has removed', () => {
  const [old, recent] = [makeEnd({ run: runId(7), ended_at: at(7) }), makeEnd({ run: runId(8), ended_at: at(8) })];
  const known = () => makeStore({ jobs: [makeJob({ recent_ends: [recent, old] })] });
  const removed = (id: string, seq = 9): RemovedRun => ({ job: 'backup', id, seq });

  test('goes as an end of its job, and as a run that may come back', () => {
    const store = known();
    store.apply({ removedRuns: [removed(old.run)] });
    expect(ends(store)).toEqual([[recent.run, 'succeeded']]);
    const mayComeBack = makeStore({ runs: [lost] }, { removedRuns: [removed(lost.id)] });
    expect([openIds(mayComeBack), ends(mayComeBack)]).toEqual([[], []]);
  });

  test('is not brought back by an older list', () => {
    const store = makeStore({ runs: [lost] }, { removedRuns: [removed(lost.id)] });
    expect(changesNothing(store, () => store.apply({ runs: [lost], pastRuns: [lost] }))).toBe(true);
    const again = makeRun({ ...over, seq: 10 });
    store.apply({ runs: [again] });
    expect(ends(store)).toEqual([[again.id, 'failed']]);
  });

  test('is neither a newer run with the same id nor one of another job', () => {
    for (const newer of [makeRun({ seq: 10 }), makeRun({ ...over, seq: 10 })]) {
      const store = makeStore({ runs: [newer] });
      expect(changesNothing(store, () => store.apply({ removedRuns: [removed(newer.id)] }))).toBe(true);
    }
    const store = known();
    store.apply({ removedRuns: [{ job: 'other', id: old.run, seq: 9 }] });
    expect(ends(store)).toEqual([
      [recent.run, 'succeeded'],
      [old.run, 'succeeded'],
    ]);
  });

  test('includes a job when that is reported, and nothing of it is known', () => {
    const removedJobs = ['backup'];
    for (const store of [known(), makeStore({ runs: [alive] })]) {
      expect(changesNothing(store, () => store.apply({ removedJobs }))).toBe(true);
    }
    const store = known();
    store.apply({ removedRuns: [removed(old.run), removed(recent.run)], removedJobs });
    expect(store.jobs.value.size).toBe(0);
  });

  test('is missing in a complete list, if nobody was there when it was reported', () => {
    const store = known();
    store.removeUnlisted(store.jobs.value.values(), [makeJob({ recent_ends: [recent] })]);
    expect(ends(store)).toEqual([[recent.run, 'succeeded']]);
    store.removeUnlisted(store.jobs.value.values(), []);
    expect(store.jobs.value.size).toBe(0);
  });

  test('is not what was reported after the list was requested', () => {
    const store = known();
    const before = store.jobs.value.values();
    store.apply({ runs: [over, makeRun({ id: runId(11), job: 'new' })] });
    store.removeUnlisted(before, []);
    expect(ends(store)).toEqual([[over.id, 'failed']]);
    expect(openIds(store)).toEqual([runId(11)]);
    expect([...store.jobs.value.keys()]).toEqual(['backup', 'new']);
  });
});

describe('kills', () => {
  const state = (store: Store) => store.kills.value.get(KILL_ID)?.state;

  test('the one with the higher seq stays, in whichever order they arrive', () => {
    const store = makeStore({ kills: [makeKill({ seq: 3, state: 'delivered' })] });
    expect(changesNothing(store, () => store.apply({ kills: [makeKill({ seq: 2 })] }))).toBe(true);
    store.apply({ kills: [makeKill({ seq: 4, state: 'settled' })] });
    expect(state(store)).toBe('settled');
  });

  test('of too many the oldest settled ones are dropped, and none in progress', () => {
    const kills = Array.from({ length: 10_000 }, (_, n) =>
      makeKill({ id: runId(n), state: n === 0 ? 'queued' : 'settled' }),
    );
    const store = makeStore({ kills });
    expect(store.kills.value.size).toBe(10_000);
    store.apply({ kills: [makeKill({ id: runId(10_000), state: 'settled' })] });
    const ids = [...store.kills.value.keys()];
    expect([ids.length, ids[0], ids[1], ids.at(-1)]).toEqual([9_500, runId(0), runId(502), runId(10_000)]);
  });
});
