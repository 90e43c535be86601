import { describe, expect, test } from 'vitest';
import { endedRuns, liveRuns, mergeRuns, newerOf, pruneEnded, unaccounted } from '../src/state/newest.ts';
import { at, makeRun } from './make.ts';

const id = (n: number) => `01J0000000000000000000000${n}`;
const runsOf = (...runs: ReturnType<typeof makeRun>[]) => new Map(runs.map((run) => [run.id, run]));

describe('merging', () => {
  test('keeps the higher seq, whichever way round they arrive', () => {
    const older = makeRun({ seq: 3 });
    const newer = makeRun({ seq: 4, state: 'killing' });
    expect(mergeRuns(mergeRuns(new Map(), [older]), [newer]).get(older.id)?.state).toBe('killing');
    expect(mergeRuns(mergeRuns(new Map(), [newer]), [older]).get(older.id)?.state).toBe('killing');
  });

  test('gives back the same map when nothing is new', () => {
    const runs = runsOf(makeRun({ seq: 3 }));
    expect(mergeRuns(runs, [makeRun({ seq: 3 }), makeRun({ seq: 2 })])).toBe(runs);
  });

  test('of one version takes the one that has seen more output', () => {
    expect(newerOf(makeRun({ output_bytes: 1 }), makeRun({ output_bytes: 2 })).output_bytes).toBe(2);
    expect(newerOf(makeRun({ output_bytes: 2 }), makeRun({ output_bytes: 1 })).output_bytes).toBe(2);
  });
});

describe('what is shown', () => {
  const running = makeRun({ id: id(1), started_at: at(1) });
  const later = makeRun({ id: id(2), started_at: at(2), state: 'killing' });
  const ended = makeRun({ id: id(3), state: 'failed', final: true, ended_at: at(5) });
  const endedLater = makeRun({ id: id(4), state: 'lost', ended_at: at(9) });
  const all = runsOf(running, ended, later, endedLater);

  test('splits what lives from what has ended, the latest first', () => {
    expect(liveRuns(all)).toEqual([later, running]);
    expect(endedRuns(all)).toEqual([endedLater, ended]);
  });

  test('forgets old ends and never what lives', () => {
    expect([...pruneEnded(all, 1).keys()].sort()).toEqual([id(1), id(2), id(4)]);
  });
});

test('a run held to be alive that no snapshot knows has to be asked for', () => {
  const forgotten = makeRun({ id: id(1) });
  const known = makeRun({ id: id(2) });
  const ended = makeRun({ id: id(3), state: 'succeeded' });
  const updated = makeRun({ id: id(4) });
  const before = runsOf(forgotten, known, ended, updated);
  const now = new Map(before).set(id(4), makeRun({ id: id(4), seq: 2 }));
  expect(unaccounted(before, now, new Set([id(2)]))).toEqual([id(1)]);
});
