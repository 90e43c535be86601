import { expect, test } from 'vitest';
import { batchProgress } from '../src/state/batch-progress.ts';
import { makeKill, runId } from './make.ts';

const target = (n: number, state: 'term' | 'gone' | 'refused', survivors: number[] = []) => ({
  run: runId(n),
  machine: `m-${n}`,
  state,
  signal: 'SIGTERM',
  exit_code: null,
  survivors,
  unnamed_survivors: false,
  related: [],
  related_count: 0,
  timing: null,
});

test('a batch is over when all its kills are', () => {
  const settled = makeKill({ state: 'settled', targets: [target(1, 'gone'), target(2, 'refused')] });
  const open = makeKill({ state: 'delivered', targets: [target(3, 'term')] });
  expect(batchProgress([settled]).isOver).toBe(true);
  expect(batchProgress([settled, open])).toMatchObject({ isOver: false, counts: { gone: 1, refused: 1, term: 1 } });
});

test('a kill that has found no run yet counts as stored, one that found none at all as over', () => {
  expect(batchProgress([makeKill({ state: 'queued' })]).counts.none).toBe(1);
  expect(batchProgress([makeKill({ state: 'settled' })])).toMatchObject({ isOver: true, counts: { none: 0 } });
});

test('what processes survived is reported with its machine', () => {
  const kill = makeKill({ state: 'settled', targets: [target(1, 'gone', [77])] });
  expect(batchProgress([kill]).survivors).toEqual([{ machine: 'm-1', survivors: [77], unnamed_survivors: false }]);
  const unnamed = makeKill({ state: 'settled', targets: [{ ...target(1, 'gone'), unnamed_survivors: true }] });
  expect(batchProgress([unnamed]).survivors).toEqual([{ machine: 'm-1', survivors: [], unnamed_survivors: true }]);
  expect(batchProgress([unnamed]).counts).toMatchObject({ survived: 1, gone: 0 });
});

test('what there is no word of yet is stored, not over', () => {
  expect(batchProgress([null])).toMatchObject({ isOver: false, counts: { none: 1 } });
});
