import { beforeAll, describe, expect, test } from 'vitest';
import type { Job, Run } from '#protocol/api';
import { runsOfJobs } from '../src/db/runs-of-jobs.ts';
import { call } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun, rowsRead } from './support/indexed-runs.ts';

const START = Date.parse('2026-06-01T00:00:00Z');
const MINUTE = 60_000;

async function job(name: string): Promise<Job> {
  return (await (await call('GET', `/jobs/${name}`)).json<{ job: Job }>()).job;
}

async function indexJobs(runs: readonly Run[]): Promise<void> {
  await index(runs);
  const names = JSON.stringify([...new Set(runs.map((run) => run.job))]);
  await env.DB.prepare('INSERT INTO jobs SELECT value, 0, 0 FROM json_each(?)').bind(names).run();
}

const idsOf = (runs: readonly Run[]) => runs.map(({ id }) => id);

describe('a job shows', () => {
  const ended = Array.from({ length: 25 }, (_, number) =>
    indexedRun(START + number * MINUTE, 1_000, {
      job: 'shown',
      ...(number === 24 && { state: 'lost', final: false, exit_code: 253, machine: 'web2' }),
    }),
  );
  const live = Array.from({ length: 30 }, (_, number) =>
    indexedRun(START + (number - 10) * MINUTE + 1, null, {
      job: 'shown',
      state: number % 2 === 0 ? 'running' : 'killing',
    }),
  );

  beforeAll(async () => {
    await indexJobs([...ended, ...live, indexedRun(START, 1_000, { job: 'quiet' })]);
    await env.DB.exec("INSERT INTO jobs VALUES ('unseen', 0, 0)");
  });

  test('how its last 20 runs ended, newest start first, and not those that live', async () => {
    const { recent_ends } = await job('shown');
    expect(recent_ends.map(({ run }) => run)).toEqual(idsOf(ended).reverse().slice(0, 20));
    expect(recent_ends[0]).toEqual({
      run: ended[24]?.id,
      machine: 'web2',
      state: 'lost',
      final: false,
      exit_code: 253,
      started_at: ended[24]?.started_at,
      ended_at: ended[24]?.ended_at,
    });
    expect(recent_ends[1]).toMatchObject({ final: true, exit_code: 0, state: 'succeeded' });
  });

  test('the newest 20 that live, and how many there are', async () => {
    const { running, running_count, last_run } = await job('shown');
    expect(idsOf(running)).toEqual(idsOf(live).reverse().slice(0, 20));
    expect(running_count).toBe(30);
    expect(last_run?.id).toBe(ended[24]?.id);
  });

  test('nothing that is not its own', async () => {
    expect(await job('quiet')).toMatchObject({ running: [], running_count: 0, recent_ends: [{ state: 'succeeded' }] });
    expect(await job('unseen')).toMatchObject({ last_run: null, running: [], running_count: 0, recent_ends: [] });
  });

  test('the same in the list of all jobs: what many runs of one take leaves the others theirs', async () => {
    const { jobs } = await (await call('GET', '/jobs')).json<{ jobs: Job[] }>();
    const listed = jobs.filter(({ name }) => ['shown', 'quiet', 'unseen'].includes(name));
    expect(listed).toEqual([await job('quiet'), await job('shown'), await job('unseen')]);
  });
});

test('a page of jobs reads what it shows, whatever there has been', async () => {
  const JOBS = 50;
  const runs = Array.from({ length: 20_000 }, (_, number) =>
    indexedRun(START + number * MINUTE, number % 200 < JOBS && number > 19_800 ? null : MINUTE, {
      job: `page-${number % JOBS}`,
    }),
  );
  await index(runs);
  const names = Array.from({ length: JOBS }, (_, number) => `page-${number}`);
  const read = await rowsRead((db) => runsOfJobs(db, names));
  // 20 ends, a live run and the newest of each.
  expect(read).toBeLessThan(JOBS * 45);
});
