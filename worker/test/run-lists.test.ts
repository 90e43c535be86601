import { beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { END_STATES, isLive, RUN_STATES } from '#protocol/run-state';
import { IS_PROOF } from '#testing/seed';
import { listRuns, type RunFilter, type RunPosition } from '../shared/d1/run-lists.ts';
import { call, newToken, refusal } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun, rowsRead } from './support/indexed-runs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** How many random filters are tried. */
const FILTERS = IS_PROOF ? 120 : 40;
const NOW = Date.parse('2026-11-01T00:00:00Z');

/** What the pages of a list hold, one after the other. */
async function pages(filter: Omit<RunFilter, 'after'>, limit: number, db = env.DB): Promise<string[]> {
  const ids: string[] = [];
  for (let after: RunPosition | undefined; ; ) {
    const page = await listRuns(db, { ...filter, after }, limit);
    ids.push(...page.map(({ id }) => id));
    if (page.length < limit) return ids;
    after = page.at(-1);
  }
}

/** The same by looking at every run there is. */
function matches(run: Run, filter: RunFilter): boolean {
  const [startedAt, endedAt] = [Date.parse(run.started_at), run.ended_at === null ? null : Date.parse(run.ended_at)];
  return (
    matchesGlob(filter.jobGlob, run.job) &&
    (filter.job === undefined || run.job === filter.job) &&
    (filter.machine === undefined || run.machine === filter.machine) &&
    (filter.instance === undefined || run.instance === filter.instance) &&
    (filter.states === undefined || filter.states.includes(run.state)) &&
    (filter.until === undefined || startedAt < filter.until) &&
    (filter.since === undefined || endedAt === null || endedAt >= filter.since)
  );
}

/** Numbers that look random, and are the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('lists of runs, page by page', () => {
  const runs: Run[] = [];

  beforeAll(async () => {
    const below = numbers(1);
    for (let count = 0; count < 1_500; count++) {
      const startedAt = NOW - below(60) * DAY - below(50) * HOUR - below(3) * 1_000;
      const state = RUN_STATES[below(RUN_STATES.length)] ?? 'running';
      // From an instant to two months, and each bound of a span to the millisecond.
      const tookMs = below(3) === 0 ? MINUTE * 4 ** below(9) - below(2) : Math.floor(4 ** (below(1_700) / 100));
      runs.push(
        indexedRun(startedAt, isLive(state) ? null : tookMs, {
          job: `list-${below(4)}`,
          machine: `web${below(3)}`,
          instance: `i${below(5)}`,
          state,
          final: !isLive(state) && (state !== 'lost' || below(2) === 0),
        }),
      );
    }
    await index(runs);
  });

  test('contain the matching runs, newest start first, for any filter', async () => {
    const below = numbers(2);
    const some = <Value>(values: readonly Value[]) => values.filter(() => below(2) === 0);
    const maybe = <Value>(value: Value): Value | undefined => (below(3) === 0 ? value : undefined);
    const seen = { live: 0, period: 0, both: 0 };
    for (let count = 0; count < FILTERS; count++) {
      const since = below(2) === 0 ? NOW - below(60 * 24) * HOUR : undefined;
      const states = maybe(below(2) === 0 ? (['running', 'killing'] as const) : some(RUN_STATES));
      const filter: RunFilter = {
        jobGlob: below(3) === 0 ? '*-2' : '*',
        job: maybe(`list-${below(4)}`),
        machine: maybe(`web${below(3)}`),
        instance: maybe(`i${below(5)}`),
        states: states?.length === 0 ? undefined : states,
        since,
        until: below(2) === 0 ? (since ?? NOW - 60 * DAY) + 1 + below(20 * 24) * HOUR : undefined,
      };
      const expected = runs
        .filter((run) => matches(run, filter))
        .sort((a, b) =>
          a.started_at === b.started_at ? (a.id < b.id ? 1 : -1) : a.started_at < b.started_at ? 1 : -1,
        );
      const limit = Math.max(1, Math.ceil(expected.length / (1 + below(5))));
      expect([filter, await pages(filter, limit)]).toEqual([filter, expected.map(({ id }) => id)]);
      if (filter.states?.every(isLive)) seen.live += 1;
      if (since !== undefined) seen.period += 1;
      if (since !== undefined && filter.until !== undefined && expected.length > 20) seen.both += 1;
    }
    expect(Math.min(seen.live, seen.period, seen.both)).toBeGreaterThan(FILTERS / 15);
  });
});

describe('a list of runs reads few rows', () => {
  const RUNS = 20_000;

  beforeAll(async () => {
    const many = Array.from({ length: RUNS }, (_, number) => {
      // One in a hundred lives, one in fifty took hours, one in a thousand days.
      const tookMs =
        number % 1_000 === 7 ? 5 * DAY : number % 50 === 3 ? 3 * HOUR : 1_000 + ((number * 7_919) % (10 * MINUTE));
      return indexedRun(NOW - 80 * DAY + number * 5 * MINUTE, number % 100 === 0 ? null : tookMs, {
        job: `few-${number % 100}`,
      });
    });
    await index(many);
  });

  const few = { jobGlob: 'few-*' } as const;
  const period = (daysAgo: number, ms: number) => ({ since: NOW - daysAgo * DAY, until: NOW - daysAgo * DAY + ms });

  test.each<[what: string, filter: RunFilter, atMost: number]>([
    ['that live', { jobGlob: '*', states: ['running', 'killing'] }, 1_000],
    ['that are being killed', { jobGlob: '*', states: ['killing'] }, 1_000],
    ['of one job that live', { ...few, job: 'few-0', states: ['running', 'killing'] }, 250],
    ['of one job without any that lives', { ...few, job: 'few-1', states: ['running', 'killing'] }, 10],
    ['of an hour', { ...few, ...period(20, HOUR), states: END_STATES }, 400],
    ['of an hour, the live ones too', { ...few, ...period(20, HOUR) }, 2_000],
    ['of one job, of a day', { ...few, ...period(20, DAY), job: 'few-1' }, 2_000],
    ['of a week', { ...few, ...period(20, 7 * DAY), states: END_STATES }, 4_500],
  ])('%s', async (_what, filter, atMost) => {
    let found = 0;
    const read = await rowsRead(async (db) => {
      found = (await pages(filter, 100, db)).length;
    });
    expect(read).toBeLessThan(atMost);
    expect(found).toBe((await pages({ ...filter }, 500)).length);
  });
});

describe('GET /runs', () => {
  const at = Date.parse('2026-06-01T12:00:00Z');
  const names = new Map<string, string>();

  beforeAll(async () => {
    const runs = {
      before: indexedRun(at - HOUR - 1, HOUR),
      until: indexedRun(at - HOUR, HOUR),
      through: indexedRun(at - 2 * HOUR, 9 * HOUR, { state: 'failed' }),
      living: indexedRun(at - 3 * HOUR, null, { instance: 'its-own' }),
      dying: indexedRun(at + 1, null, { state: 'killing' }),
      within: indexedRun(at + MINUTE, MINUTE),
      after: indexedRun(at + HOUR, MINUTE),
    };
    for (const [name, run] of Object.entries(runs)) names.set(run.id, name);
    await index(Object.values(runs).map((run) => ({ ...run, job: 'period' })));
  });

  async function list(query: string): Promise<string[]> {
    const { runs } = await (await call('GET', `/runs?job=period&${query}`)).json<{ runs: Run[] }>();
    return runs.map(({ id }) => names.get(id) ?? id);
  }

  const since = 'since=2026-06-01T12:00:00Z';
  const until = 'until=2026-06-01T15:00:00%2B02:00';

  test('has the runs that were alive in a period, which includes its beginning and excludes its end', async () => {
    expect(await list(`${since}&${until}`)).toEqual(['within', 'dying', 'until', 'through', 'living']);
    expect(await list(since)).toEqual(['after', 'within', 'dying', 'until', 'through', 'living']);
    expect(await list(until)).toEqual(['within', 'dying', 'until', 'before', 'through', 'living']);
  });

  test('accepts several states, and an instance', async () => {
    expect(await list('state=running')).toEqual(['living']);
    expect(await list('state=running,killing')).toEqual(['dying', 'living']);
    expect(await list('state=failed,killing')).toEqual(['dying', 'through']);
    expect(await list(`state=failed,running&${since}&${until}`)).toEqual(['through', 'living']);
    expect(await list('instance=its-own')).toEqual(['living']);
    expect(await list('instance=its')).toEqual([]);
  });

  test.each([
    'state=',
    'state=running,',
    'state=running,sleeping',
    'state=running;killing',
    'since=yesterday',
    'since=2026-06-01',
    'until=2027-02-30T00:00:00Z',
    `${since}&until=2026-06-01T12:00:00Z`,
    `${since}&until=2026-06-01T11:00:00Z`,
    'instance=a/b',
  ])('refuses %s', async (query) => {
    expect(await refusal(call('GET', `/runs?${query}`))).toBe('400 bad_request');
  });

  test('shows a token only its jobs, with a period or live states too', async () => {
    const { secret } = await newToken({ name: 'others', scopes: ['read'], jobs: 'other*' });
    for (const query of [
      `${since}&${until}`,
      'state=running,killing',
      'job=period&state=running',
      `job=period&${since}`,
    ]) {
      expect(await (await call('GET', `/runs?${query}`, { token: secret })).json()).toMatchObject({ runs: [] });
    }
  });
});
