import { ulid } from 'ulid';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { indexBytes } from '../shared/d1/index-size.ts';
import { purgeOverdueRuns } from '../shared/d1/overdue-runs.ts';
import { purgeOldestRuns } from '../shared/d1/runs.ts';
import { sweep } from '../src/sweep.ts';
import { aKill, call, newToken, refusal } from './support/api.ts';
import { indexed, indexedState, queryPlan } from './support/d1.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';
import { indexOverdue, overdueRun } from './support/overdue-runs.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

const MINUTE_MS = 60_000;
const settings: { D1_MAX_BYTES: string } = env;
const { D1_MAX_BYTES } = env;

afterEach(() => {
  settings.D1_MAX_BYTES = D1_MAX_BYTES;
});

/** Sets the limit so that D1 is as full as this. */
async function fill(share: number): Promise<void> {
  settings.D1_MAX_BYTES = String(Math.round((await indexBytes(env.DB)) / share));
}

async function indexKill(kill: Kill): Promise<void> {
  await env.DB.prepare('INSERT INTO kills (id, job, requested_at, accepted, resource) VALUES (?, ?, ?, 1, ?)')
    .bind(kill.id, kill.job, Date.parse(kill.requested_at), JSON.stringify(kill))
    .run();
}

function killOf(requestedAt: number, state: Kill['state']): Kill {
  return { ...aKill('indexed'), id: ulid(requestedAt), requested_at: new Date(requestedAt).toISOString(), state };
}

describe('GET /index', () => {
  test('says how full D1 is, and where warning and removal begin', async () => {
    settings.D1_MAX_BYTES = '1000000';
    const { index } = await (await call('GET', '/index')).json<{ index: unknown }>();
    expect(index).toEqual({
      bytes: await indexBytes(env.DB),
      max_bytes: 1_000_000,
      warning_bytes: 700_000,
      removal_bytes: 800_000,
    });
  });

  test('is for admins of all jobs', async () => {
    const reader = await newToken({ name: 'reads', scopes: ['read'] });
    expect(await refusal(call('GET', '/index', { token: reader.secret }))).toBe('403 forbidden');
  });
});

describe('the sweep', () => {
  const now = Date.now();
  const runs = Array.from({ length: 2_000 }, (_, nth) => indexedRun(now - (3_000 - nth) * MINUTE_MS, 1_000));
  const open = indexedRun(now - 5_000 * MINUTE_MS, null);
  /** Of the runs that have ended: how many are left, and which is the first of them. */
  const left = async () => {
    const { results } = await env.DB.prepare('SELECT id FROM runs WHERE final = 1 ORDER BY id').all<{ id: string }>();
    return { count: results.length, first: results[0]?.id };
  };

  beforeAll(() => index([open, ...runs]));

  test('removes nothing while D1 has room', async () => {
    await fill(0.79);
    await sweep(env);
    expect((await left()).count).toBe(2_000);
  });

  test('removes the ended runs that started first from an index that is 80 % full, with the kills before them', async () => {
    const settled = [now - 4_000 * MINUTE_MS, now].map((at) => killOf(at, 'settled'));
    const delivered = killOf(now - 4_000 * MINUTE_MS, 'delivered');
    for (const kill of [...settled, delivered]) await indexKill(kill);
    await indexOverdue(...[now - 4_000 * MINUTE_MS, now].map((endedAt) => overdueRun('indexed', endedAt)));
    await fill(0.85);
    await sweep(env);
    const after = await left();
    expect(after.count).toBeLessThan(2_000);
    expect(after.count).toBeGreaterThan(0);
    expect(after.first).toBe(runs[2_000 - after.count]?.id);
    expect(await indexBytes(env.DB)).toBeLessThan(0.78 * Number(settings.D1_MAX_BYTES));
    expect(await indexedState(open.id)).toBe('running');
    const { results } = await env.DB.prepare('SELECT id FROM kills ORDER BY id').all<{ id: string }>();
    expect(results.map(({ id }) => id)).toEqual([delivered.id, settled[1]?.id]);
    const overdue = await env.DB.prepare('SELECT ended_at FROM overdue_runs').all<{ ended_at: number }>();
    expect(overdue.results).toEqual([{ ended_at: now }]);
    await sweep(env);
    expect(await left()).toEqual(after);
  });

  test('finds them without a scan', async () => {
    const plan = (await queryPlan((db) => purgeOldestRuns(db, 10))).join('\n');
    expect(plan).toContain('SCAN runs USING INDEX runs_by_start');
    const overduePlan = (await queryPlan((db) => purgeOverdueRuns(db, now, 10))).join('\n');
    expect(overduePlan).toContain('SEARCH overdue_runs USING COVERING INDEX overdue_runs_by_end (ended_at<?)');
    expect(plan + overduePlan).not.toContain('TEMP B-TREE');
  });

  test('removes a limited number of runs at once', async () => {
    const before = (await left()).count;
    await index(Array.from({ length: 5_000 }, (_, nth) => indexedRun(now - nth, 1)));
    settings.D1_MAX_BYTES = '1';
    await sweep(env);
    expect((await left()).count).toBe(before);
    await sweep(env);
    expect((await left()).count).toBe(0);
    expect(await indexedState(open.id)).toBe('running');
  });
});

test('a run that has left the index is found by its job, with its events and output', async () => {
  const who = newIdentity('index-left');
  const wrapper = await TestWrapper.connect(who);
  await indexed(who.run);
  wrapper.print(0, 'hello');
  await wrapper.completed({ ...EXITED, final_offset: 5 });
  await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
  settings.D1_MAX_BYTES = '1';
  await sweep(env);
  expect(await indexedState(who.run)).toBeUndefined();
  const path = `/runs/${who.run}`;
  expect(await refusal(call('GET', path))).toBe('404 unknown_run');
  const { run } = await (await call('GET', `${path}?job=${who.job}`)).json<{ run: { state: string } }>();
  expect(run).toMatchObject({ id: who.run, state: 'succeeded' });
  expect(await (await call('GET', `${path}/output?job=${who.job}`)).text()).toBe('hello');
  const { events } = await (await call('GET', `${path}/events?job=${who.job}`)).json<{ events: unknown[] }>();
  expect(events.length).toBeGreaterThan(0);
  const other = await newToken({ name: 'other', scopes: ['read'], jobs: 'other-*' });
  expect(await refusal(call('GET', `${path}?job=${who.job}`, { token: other.secret }))).toBe('404 unknown_run');
  expect(await refusal(call('GET', `${path}?job=index-never`))).toBe('404 unknown_run');
});
