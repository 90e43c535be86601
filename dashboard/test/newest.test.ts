import { expect, test } from 'vitest';
import { newerOf, unaccounted } from '../src/state/newest.ts';
import { refOf } from '../src/state/run-ref.ts';
import { makeRun, runId } from './make.ts';

test('the higher seq is the newer, whichever way round they arrive', () => {
  const older = makeRun({ seq: 3 });
  const newer = makeRun({ seq: 4, state: 'killing' });
  expect(newerOf(older, newer)).toBe(newer);
  expect(newerOf(newer, older)).toBe(newer);
});

test('of one version the one that has seen more output is taken', () => {
  expect(newerOf(makeRun({ output_bytes: 1 }), makeRun({ output_bytes: 2 })).output_bytes).toBe(2);
  expect(newerOf(makeRun({ output_bytes: 2 }), makeRun({ output_bytes: 1 })).output_bytes).toBe(2);
});

test('a run held to be open that no snapshot knows has to be asked for', () => {
  const runOf = (n: number, job: string) => makeRun({ id: runId(n), job });
  const [forgotten, known, updated] = [runOf(1, 'backup'), runOf(2, 'backup'), runOf(3, 'backup')];
  // With the id of one that the snapshot knows, and of another job.
  const namesake = runOf(2, 'evil');
  const before = new Map([forgotten, known, updated, namesake].map((run) => [refOf(run), run]));
  const now = new Map(before).set(refOf(updated), makeRun({ id: runId(3), seq: 2 }));
  expect(unaccounted(before, now, new Set([refOf(known)]))).toEqual([forgotten, namesake]);
});
