import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Run } from '#protocol/api';
import { WAIT } from '#testing/patience';
import {
  EVERYTHING,
  isFiltered,
  matchesRun,
  parseRunFilter,
  type RunFilter,
  toggledStates,
} from '../src/pages/job/filter.ts';
import { firstSeen, RunHistory } from '../src/pages/job/history.ts';
import { refOf } from '../src/state/run-ref.ts';
import { store } from '../src/state/store.ts';
import { at, makeRun, runId } from './make.ts';

/** The n-th run, started at second n; ended five seconds later. */
const run = (n: number, changes = {}) =>
  makeRun({
    id: runId(n),
    state: 'succeeded',
    final: true,
    exit_code: 0,
    started_at: at(n),
    ended_at: at(n + 5),
    seq: 5,
    ...changes,
  });

/** The pages of the list, by cursor; and the queries that were made. */
let pages: Record<string, { readonly runs: readonly Run[]; readonly next: string | null }>;
let queries: URLSearchParams[];

beforeEach(() => {
  pages = { first: { runs: [run(30), run(20)], next: 'second' } };
  queries = [];
  vi.stubGlobal('fetch', async (path: string) => {
    const query = new URL(path, 'http://localhost').searchParams;
    queries.push(query);
    const page = pages[query.get('cursor') ?? query.get('until') ?? 'first'];
    return page === undefined
      ? Response.json(
          { type: 'about:blank', title: 'No', status: 500, code: 'internal', detail: 'No.' },
          { status: 500 },
        )
      : Response.json({ runs: page.runs, next_cursor: page.next });
  });
});

let histories: RunHistory[] = [];

afterEach(() => {
  for (const history of histories) history.close();
  histories = [];
  store.clear();
  vi.unstubAllGlobals();
});

const shown = (history: RunHistory) => history.shown.value.map(({ id }) => Number(id.slice(3)));
const isIdle = (history: RunHistory) => vi.waitFor(() => expect(history.listing.value.isBusy).toBe(false), WAIT);

function emptyHistory(): RunHistory {
  const history = new RunHistory('backup');
  histories.push(history);
  return history;
}

async function loaded(filter: RunFilter = EVERYTHING, least = 0): Promise<RunHistory> {
  const history = emptyHistory();
  history.setFilter(filter, least);
  await isIdle(history);
  return history;
}

async function loadMore(history: RunHistory): Promise<void> {
  history.loadMore();
  await isIdle(history);
}

describe('the history', () => {
  test('is shown newest first', async () => {
    pages = { first: { runs: [run(30), run(10), run(20)], next: null } };
    expect(shown(await loaded())).toEqual([30, 20, 10]);
  });

  test('takes what starts while it is shown', async () => {
    const history = await loaded();
    store.apply({ runs: [run(40, { state: 'running', final: false })] });
    expect(shown(history)).toEqual([40, 30, 20]);
  });

  test('shows nothing below the pages that were loaded: between there are runs that are not known', async () => {
    pages = { ...pages, second: { runs: [run(10)], next: 'third' }, third: { runs: [], next: null } };
    const history = await loaded();
    store.apply({ runs: [run(5)] });
    expect(shown(history)).toEqual([30, 20]);
    await loadMore(history);
    expect(shown(history)).toEqual([30, 20, 10]);
    await loadMore(history);
    expect(shown(history)).toEqual([30, 20, 10, 5]);
  });

  test('keeps the newer version, whichever comes first', async () => {
    const ended = run(20, { state: 'failed', seq: 9 });
    const failures = { ...EVERYTHING, states: ['failed'] } as const;
    const late = await loaded(failures);
    store.apply({ runs: [ended] });
    expect(shown(late)).toEqual([20]);
    store.clear();
    const early = emptyHistory();
    store.apply({ runs: [ended] });
    early.setFilter(failures);
    await isIdle(early);
    expect(shown(early)).toEqual([20]);
  });

  test('is the very same when nothing is new', async () => {
    const history = await loaded();
    const before = history.shown.value;
    store.apply({ runs: [run(30), run(20, { seq: 4 })] });
    store.remove(refOf(run(1)));
    expect(history.shown.value).toBe(before);
  });

  test('loses what is not kept any more', async () => {
    const history = await loaded();
    store.apply({ removedRuns: [{ job: 'backup', id: runId(20), seq: 6 }] });
    expect(shown(history)).toEqual([30]);
  });

  test('has no runs of other jobs', async () => {
    const history = await loaded();
    store.apply({ runs: [run(40, { job: 'etl' }), run(41, { job: 'etl', state: 'running', final: false })] });
    expect(shown(history)).toEqual([30, 20]);
  });

  test('is loaded as far down as the reader has seen it before', async () => {
    pages = { ...pages, second: { runs: [run(10)], next: 'third' }, third: { runs: [run(1)], next: null } };
    expect(shown(await loaded(EVERYTHING, 3))).toEqual([30, 20, 10]);
  });

  test('that could not be loaded is loaded from its top when it is retried', async () => {
    const { first } = pages;
    pages = {};
    const history = await loaded();
    expect(history.listing.value.failure?.detail).toBe('No.');
    pages = { first: first ?? { runs: [], next: null } };
    await loadMore(history);
    expect(shown(history)).toEqual([30, 20]);
  });

  test('drops the oldest when there is too much, and loads them again from there', async () => {
    const all = Array.from({ length: 21 }, (_, n) => run(100 - n));
    pages = { first: { runs: all, next: null } };
    const history = await loaded();
    history.trim(21);
    expect(shown(history)).toHaveLength(21);
    history.trim(20);
    expect(shown(history)).toEqual(Array.from({ length: 19 }, (_, n) => 100 - n));
    expect(history.listing.value.hasMore).toBe(true);
    // A late change of a dropped one isn't shown without its neighbours.
    store.apply({ runs: [run(80, { seq: 6 })] });
    expect(shown(history).at(-1)).toBe(82);

    const until = new Date(Date.parse(at(82)) + 1).toISOString();
    pages = { [until]: { runs: all.slice(18), next: null } };
    await loadMore(history);
    expect(queries.at(-1)?.get('until')).toBe(until);
    expect(shown(history)).toEqual(Array.from({ length: 21 }, (_, n) => 100 - n));
  });

  test('does not claim to reach further than its pages by being trimmed', async () => {
    pages = { first: { runs: [run(100), run(99)], next: 'second' } };
    const history = await loaded();
    store.apply({ runs: [run(3), run(2), run(1)] });
    history.trim(4);
    expect(history.runs.value).toHaveLength(4);
    expect(shown(history)).toEqual([100, 99]);
  });
});

describe('the filter', () => {
  const parse = (query: string) => parseRunFilter(new URLSearchParams(query));

  test('is read from the address, without what is not known', () => {
    expect(parse('')).toEqual(EVERYTHING);
    expect(parse('state=failed,nonsense,running&machine=web-1&instance=backup_1')).toEqual({
      states: ['running', 'killing', 'failed'],
      machine: 'web-1',
      instance: 'backup_1',
    });
    expect(parse('state=waiting').states).toEqual(['waiting']);
    expect(isFiltered(parse('state=nonsense&machine='))).toBe(false);
  });

  test.each([
    ['', 'failed', 'failed'],
    ['state=failed', 'lost', 'failed,lost'],
    ['state=failed,lost', 'failed', 'lost'],
    ['state=running', 'running', null],
    ['state=waiting,running,succeeded,failed,killed,timed_out,lost,errored', 'skipped', null],
  ] as const)('%s with %s toggled is %s', (query, choice, expected) => {
    expect(toggledStates(parse(query), choice)).toBe(expected);
  });

  test('asks for all of what it is given', () => {
    const filter = parse('state=running&machine=web-1&instance=i');
    const wanted = makeRun({ state: 'killing', machine: 'web-1', instance: 'i' });
    expect(matchesRun(filter, wanted)).toBe(true);
    for (const other of [{ state: 'lost' }, { machine: 'web-2' }, { instance: 'j' }] as const) {
      expect(matchesRun(filter, { ...wanted, ...other })).toBe(false);
    }
  });
});

test('a job was first seen no later than the earliest run that is known has started', () => {
  expect(firstSeen(at(25), [run(30), run(20)])).toBe(at(20));
  expect(firstSeen(at(10), [run(30)])).toBe(at(10));
  expect(firstSeen(null, [run(30)])).toBe(null);
});
