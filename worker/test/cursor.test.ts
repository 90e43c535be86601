/** Lists that are paged through while they change: what was there all the time is seen, and nothing twice. */
import { ulid } from 'ulid';
import { expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { upsertJobs } from '../shared/d1/jobs.ts';
import { call, newToken, postKill } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { index } from './support/indexed-runs.ts';
import { run as readRun } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

type Row = Readonly<Record<string, unknown>>;

/** All rows of a list, page by page, with something happening after each page. */
async function readAll(path: string, name: string, between: (page: number) => Promise<unknown>): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | null = null;
  let page = 0;
  do {
    const query: string = `${path.includes('?') ? '&' : '?'}limit=3${cursor === null ? '' : `&cursor=${cursor}`}`;
    const body = (await (await call('GET', `${path}${query}`)).json()) as Record<string, Row[]> & {
      next_cursor: string | null;
    };
    rows.push(...(body[name] ?? []));
    cursor = body.next_cursor;
    await between(page++);
  } while (cursor !== null && page < 50);
  return rows;
}

/** Holds that all of these were seen, in this order, whatever was seen besides, and nothing twice. */
function expectSeen(seen: readonly unknown[], all: readonly unknown[]): void {
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => all.includes(id))).toEqual(all);
}

/** A run as its object tells D1 of it. */
async function template(job: string): Promise<Run> {
  const who = newIdentity(job);
  await TestWrapper.connect(who);
  const run = await readRun(who.job, who.run);
  if (run === null) throw new Error('the object knows its run');
  return run;
}

test('runs that start in the same millisecond are each listed once, while others start, continue and end', async () => {
  const like = await template('cursor-like');
  const started_at = '2026-02-03T04:05:06.789Z';
  const make = (changes: Partial<Run>): Run => ({ ...like, id: ulid(), job: 'cursor-runs', started_at, ...changes });
  const runs = Array.from({ length: 20 }, () => make({}));
  await index(runs);
  const seen = await readAll('/runs?job=cursor-runs', 'runs', async (page) => {
    const changed = runs.map((run) => ({ ...run, state: 'failed' as const, seq: run.seq + page + 1 }));
    const others = [
      make({}),
      make({ started_at: '2026-03-01T00:00:00.000Z' }),
      make({ started_at: '2026-01-01T00:00:00.000Z' }),
    ];
    await index([...changed, ...others]);
  });
  const ids = runs.map(({ id }) => id).sort((a, b) => (a < b ? 1 : -1));
  expectSeen(
    seen.map(({ id }) => id),
    ids,
  );
});

test('a list of runs continues by the index, even if a resource has another start', async () => {
  const like = await template('cursor-like-2');
  const runs = Array.from({ length: 7 }, (_, index) => ({
    ...like,
    id: ulid(),
    job: 'cursor-moved',
    started_at: new Date(Date.UTC(2026, 0, 1 + index)).toISOString(),
  }));
  await index(runs);
  // A start that is told otherwise later does not move the row.
  const moved = runs.map((run) => ({ ...run, started_at: '2025-01-01T00:00:00.000Z', seq: run.seq + 1 }));
  await index(moved);
  const seen = await readAll('/runs?job=cursor-moved', 'runs', async () => {});
  expect(seen.map(({ id }) => id)).toEqual(runs.map(({ id }) => id).reverse());
});

test('jobs are each listed once, while new ones are added', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `cursor-job-${index}`);
  await upsertJobs(env.DB, names, Date.now()).run();
  const seen = await readAll('/jobs', 'jobs', (page) =>
    upsertJobs(env.DB, [`cursor-job-0${page}x`, `A-${page}`, `zzz-${page}`], Date.now()).run(),
  );
  expectSeen(
    seen.map(({ name }) => name),
    names,
  );
});

test('tokens are each listed once, while others are created and deleted', async () => {
  const ids: string[] = [];
  for (let index = 0; index < 8; index++) ids.push((await newToken({ name: 'cursor', scopes: ['read'] })).token.id);
  const seen = await readAll('/tokens', 'tokens', async () => {
    const { token } = await newToken({ name: 'cursor-between', scopes: ['read'] });
    await call('DELETE', `/tokens/${token.id}`);
    await newToken({ name: 'cursor-after', scopes: ['read'] });
  });
  expectSeen(
    seen.map(({ id }) => id),
    [...ids].sort(),
  );
});

test('events are each listed once and in order, while new ones are added', async () => {
  const who = newIdentity('cursor-events');
  const wrapper = await TestWrapper.connect(who);
  await indexed(who.run);
  for (let index = 0; index < 4; index++) await postKill(who.job);
  await wrapper.settled();
  const seen = await readAll(`/runs/${who.run}/events`, 'events', async (page) => {
    if (page < 3) await postKill(who.job);
  });
  const ids = seen.map(({ id }) => id as number);
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  expect(seen.filter(({ type }) => type === 'kill_requested').length).toBe(7);
});
