import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Run } from '#protocol/api';
import { WAIT } from '#testing/patience';
import { RunHistory } from '../src/pages/timeline/run-history.ts';
import { store } from '../src/state/store.ts';
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
let cursor: string | null;
/** The periods that were asked for, in seconds. */
let asked: string[];

beforeEach(() => {
  listed = [one, two];
  cursor = null;
  asked = [];
  vi.stubGlobal('fetch', async (path: string) => {
    const { searchParams } = new URL(path, 'http://localhost');
    const [since, until] = ['since', 'until'].map((name) => secondsOf(searchParams.get(name)));
    asked.push(`${since}-${until}`);
    return Response.json({ runs: listed, next_cursor: cursor });
  });
});
afterEach(() => {
  for (const history of open) history.close();
  open = [];
  store.clear();
  vi.unstubAllGlobals();
});

let open: RunHistory[] = [];

function openHistory(): RunHistory {
  const history = new RunHistory();
  open.push(history);
  return history;
}

const lanes = (history: RunHistory) => history.lanes.map(({ name }) => name);

function secondsOf(time: string | null): number | '' {
  return time === null ? '' : (Date.parse(time) - Date.parse(at(0))) / 1000;
}

async function show(history: RunHistory, from: number, to: number | null): Promise<void> {
  history.show({ from: Date.parse(at(from)), to: to === null ? Number.POSITIVE_INFINITY : Date.parse(at(to)) });
  await vi.waitFor(() => expect(history.loading.value).toBe(false), WAIT);
}

async function loaded(): Promise<RunHistory> {
  const history = openHistory();
  history.show(PERIOD);
  await vi.waitFor(() => expect(lanes(history)).toEqual(['a', 'b']), WAIT);
  await vi.waitFor(() => expect(history.loading.value).toBe(false), WAIT);
  return history;
}

test('a deleted run goes, with its lane', async () => {
  const history = await loaded();
  store.apply({ removedRuns: [{ job: 'a', id: one.id, seq: 5 }] });
  expect(lanes(history)).toEqual(['b']);
});

test('two runs with the same id, of two jobs, are two: each is deleted by its job', async () => {
  const history = await loaded();
  store.apply({ runs: [{ ...one, job: 'other', machine: one.machine, seq: 90 }] });
  expect(lanes(history)).toEqual(['a', 'b', 'other']);
  store.apply({ removedRuns: [{ job: 'other', id: one.id, seq: 99 }] });
  expect(lanes(history)).toEqual(['a', 'b']);
});

test('a newer run with the same id stays', async () => {
  const history = await loaded();
  store.apply({ runs: [{ ...one, seq: 6 }] });
  store.apply({ removedRuns: [{ job: 'a', id: one.id, seq: 5 }] });
  expect(lanes(history)).toEqual(['a', 'b']);
});

test('a run that was deleted during an outage goes when all is loaded again, and no other', async () => {
  const history = await loaded();
  const before = makeRun({ ...one, id: runId(3), job: 'earlier', started_at: at(-50) });
  const since = makeRun({ ...one, id: runId(4), job: 'since', started_at: at(60) });
  store.apply({ runs: [before] });
  listed = [two];
  history.refresh();
  store.apply({ runs: [since] });
  await vi.waitFor(() => expect(history.loading.value).toBe(false), WAIT);
  expect(lanes(history)).toEqual(['b', 'earlier', 'since']);
});

test('only what is missing of a period is loaded; after a jump, all of it', async () => {
  const history = openHistory();
  await show(history, 0, null);
  await show(history, 10, 20);
  await show(history, -100, 50);
  await show(history, -500, -300);
  await show(history, -600, -200);
  await show(history, 0, null);
  expect(asked).toEqual(['0-', '-100-0', '-500--300', '-600--500', '-300--200', '0-']);
});

test('a period with too many runs is incomplete before the oldest that was loaded', async () => {
  const history = openHistory();
  cursor = 'more';
  await show(history, 0, null);
  expect(history.incompleteBefore.value).toBe(Date.parse(two.started_at));
  // It is not counted as loaded.
  cursor = null;
  await show(history, 0, 100);
  expect(asked).toEqual([...Array.from({ length: 20 }, () => '0-'), '0-100']);
  expect(history.incompleteBefore.value).toBeNull();
});

test('when runs pile up, those out of view go first, then the oldest', async () => {
  listed = [];
  const history = openHistory();
  await show(history, 0, null);
  const many = (count: number, start: number, job: string) =>
    Array.from({ length: count }, (_, nth) =>
      makeRun({ ...one, id: runId(nth), job, started_at: at(start), ended_at: at(start + nth / count) }),
    );
  const live = makeRun({ id: runId(1), job: 'live', started_at: at(1), ended_at: null, state: 'running' });
  store.apply({
    runs: [live, ...many(6_000, -100, 'before'), ...many(15_000, 100, 'early'), ...many(9_500, 200, 'late')],
  });
  const counts = () => history.lanes.map(({ name, runs }) => `${name} ${runs.length}`);
  expect(counts()).toEqual(['early 10499', 'late 9500', 'live 1']);
  expect(history.incompleteBefore.value).toBe(Date.parse(at(100)));
});
