import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Run } from '#protocol/api';
import { WAIT } from '#testing/patience';
import { RunHistory } from '../src/pages/timeline/run-history.ts';
import { at, makeRun, runId } from './make.ts';

const one = makeRun({
  id: runId(1),
  job: 'a',
  started_at: at(10),
  ended_at: at(20),
  state: 'succeeded',
  final: true,
  seq: 4,
});
const two = makeRun({
  id: runId(2),
  job: 'b',
  started_at: at(30),
  ended_at: at(40),
  state: 'succeeded',
  final: true,
  seq: 4,
});
const PERIOD = { from: Date.parse(at(0)), to: Number.POSITIVE_INFINITY };

let listed: readonly Run[];

beforeEach(() => {
  listed = [one, two];
  vi.stubGlobal('fetch', async () => Response.json({ runs: listed, next_cursor: null }));
});
afterEach(() => vi.unstubAllGlobals());

const lanes = (history: RunHistory) => history.index.lanes.map(({ name }) => name);

async function loaded(): Promise<RunHistory> {
  const history = new RunHistory();
  history.show(PERIOD);
  await vi.waitFor(() => expect(lanes(history)).toEqual(['a', 'b']), WAIT);
  await vi.waitFor(() => expect(history.loading.value).toBe(false), WAIT);
  return history;
}

test('a run that is kept no longer goes, with its lane', async () => {
  const history = await loaded();
  history.forget([{ job: 'a', id: one.id, seq: 5 }]);
  expect(lanes(history)).toEqual(['b']);
});

test('two runs with the same id, of two jobs, are two; what is told of one is not of the other', async () => {
  const history = await loaded();
  history.put([{ ...one, job: 'evil', machine: one.machine, seq: 90 }]);
  expect(lanes(history)).toEqual(['a', 'b', 'evil']);
  history.forget([{ job: 'evil', id: one.id, seq: 99 }]);
  expect(lanes(history)).toEqual(['a', 'b']);
});

test('one that came afresh with the same id stays', async () => {
  const history = await loaded();
  history.put([{ ...one, seq: 6 }]);
  history.forget([{ job: 'a', id: one.id, seq: 5 }]);
  expect(lanes(history)).toEqual(['a', 'b']);
});

test('what went while nobody listened is found out when all is fetched again, and only that', async () => {
  const history = await loaded();
  const before = makeRun({ ...one, id: runId(3), job: 'earlier', started_at: at(-50) });
  const since = makeRun({ ...one, id: runId(4), job: 'since', started_at: at(60) });
  history.put([before]);
  listed = [two];
  history.refresh();
  history.put([since]);
  await vi.waitFor(() => expect(history.loading.value).toBe(false), WAIT);
  expect(lanes(history)).toEqual(['b', 'earlier', 'since']);
});
