import { expect, test } from 'vitest';
import { newerOf, unaccounted } from '../src/state/newest.ts';
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
  const [forgotten, known, updated] = [1, 2, 3].map((n) => makeRun({ id: runId(n) }));
  const before = new Map([forgotten, known, updated].flatMap((run) => (run === undefined ? [] : [[run.id, run]])));
  const now = new Map(before).set(runId(3), makeRun({ id: runId(3), seq: 2 }));
  expect(unaccounted(before, now, new Set([runId(2)]))).toEqual([runId(1)]);
});
