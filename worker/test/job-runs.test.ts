import { beforeAll, describe, expect, test } from 'vitest';
import type { Job, Run } from '#protocol/api';
import { jobRuns } from '../shared/d1/job-runs.ts';
import { purgeRuns } from '../shared/d1/tombstones.ts';
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

  test('how its last 20 runs ended, newest start first, without live runs', async () => {
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

  test('the newest 20 live runs, and how many there are', async () => {
    const { running, running_count, last_run } = await job('shown');
    expect(idsOf(running)).toEqual(idsOf(live).reverse().slice(0, 20));
    expect(running_count).toBe(30);
    expect(last_run?.id).toBe(ended[24]?.id);
  });

  test('only its own runs', async () => {
    expect(await job('quiet')).toMatchObject({ running: [], running_count: 0, recent_ends: [{ state: 'succeeded' }] });
    expect(await job('unseen')).toMatchObject({ last_run: null, running: [], running_count: 0, recent_ends: [] });
  });

  test('the same in the list of all jobs, even if another job has many runs', async () => {
    const { jobs } = await (await call('GET', '/jobs')).json<{ jobs: Job[] }>();
    const listed = jobs.filter(({ name }) => ['shown', 'quiet', 'unseen'].includes(name));
    expect(listed).toEqual([await job('quiet'), await job('shown'), await job('unseen')]);
  });
});

test('a page of jobs reads only what it shows', async () => {
  const JOBS = 50;
  const runs = Array.from({ length: 20_000 }, (_, number) =>
    indexedRun(START + number * MINUTE, number % 200 < JOBS && number > 19_800 ? null : MINUTE, {
      job: `page-${number % JOBS}`,
    }),
  );
  await index(runs);
  const names = Array.from({ length: JOBS }, (_, number) => `page-${number}`);
  const read = await rowsRead((db) => jobRuns(db, names));
  // 20 ends, a live run, the newest and the one machine of each.
  expect(read).toBeLessThan(JOBS * 48);
});

describe('of the last ends on each machine a job shows', () => {
  const run = (minute: number, machine: string, fields: Partial<Run> = {}) =>
    indexedRun(START + minute * MINUTE, 1_000, { job: 'wide', machine, ...fields });
  const failed = { state: 'failed', exit_code: 3 } as const;
  const first = run(0, 'm0', failed);

  test('one that failed, however many have succeeded elsewhere since', async () => {
    await indexJobs([first]);
    for (let minute = 1; minute < 30; minute += 1) await index([run(minute, `m${minute}`)]);
    const { recent_ends, last_ends, last_end_counts } = await job('wide');
    expect(recent_ends.some(({ state }) => state === 'failed')).toBe(false);
    expect(last_end_counts).toMatchObject({ succeeded: 29, failed: 1 });
    expect(last_ends).toHaveLength(30);
    expect(last_ends[1]).toMatchObject({ machine: 'm29', state: 'succeeded' });
    expect(last_ends[0]).toEqual({
      machine: 'm0',
      run: first.id,
      state: 'failed',
      exit_code: 3,
      ended_at: first.ended_at,
    });
  });

  test('the last end, in whatever order ends are reported', async () => {
    const [older, newer] = [run(40, 'm1', failed), run(41, 'm1')];
    await index([newer]);
    await index([older]);
    const { last_ends, last_end_counts } = await job('wide');
    expect(last_ends.find(({ machine }) => machine === 'm1')).toMatchObject({ run: newer.id, state: 'succeeded' });
    expect(last_end_counts).toMatchObject({ succeeded: 29, failed: 1 });
  });

  test('not a lost run that may reconnect, but its true end', async () => {
    const lost = run(50, 'm0', { state: 'lost', final: false, exit_code: 253 });
    await index([lost]);
    expect((await job('wide')).last_end_counts).toMatchObject({ succeeded: 29, failed: 1, lost: 0 });
    await index([{ ...lost, state: 'running', ended_at: null, exit_code: null, seq: 2 }]);
    await index([{ ...lost, state: 'succeeded', final: true, exit_code: 0, seq: 3 }]);
    expect((await job('wide')).last_end_counts).toMatchObject({ succeeded: 30, failed: 0, lost: 0 });
  });

  test('no machine whose runs were purged', async () => {
    const only = run(60, 'retired', failed);
    await index([only]);
    expect((await job('wide')).last_end_counts.failed).toBe(1);
    await env.DB.batch(purgeRuns(env.DB, [{ job: 'wide', id: only.id, seq: 9 }]));
    expect((await job('wide')).last_end_counts).toMatchObject({ succeeded: 30, failed: 0 });
  });

  test('of a thousand machines those that need attention, as many others as fit, and how many there are', async () => {
    const ends = Array.from({ length: 1_000 }, (_, n) => run(100 + n, `of-${n}`, { job: 'vast' }));
    const early = { state: 'killed', exit_code: 143, job: 'vast' } as const;
    await indexJobs([...ends, run(1, 'early', early), run(0, 'earlier', early)]);
    await index([run(2, 'bad', { ...failed, job: 'vast' }), run(3, 'worse', { ...failed, job: 'vast' })]);
    const { last_ends, last_end_counts } = await job('vast');
    expect(last_end_counts).toMatchObject({ succeeded: 1_000, failed: 2, killed: 2 });
    expect(last_ends).toHaveLength(300);
    expect(last_ends.slice(0, 2).map(({ machine }) => machine)).toEqual(['worse', 'bad']);
    expect(JSON.stringify(last_ends).length).toBeLessThan(50_000);
  });
});

test('a page of jobs on many machines reads little more for each machine', async () => {
  const names = Array.from({ length: 3 }, (_, number) => `spread-${number}`);
  const runs = names.flatMap((name) =>
    Array.from({ length: 30 * 20 }, (_, n) =>
      indexedRun(START + n * MINUTE, 1_000, { job: name, machine: `m${n % 30}` }),
    ),
  );
  await index(runs);
  const read = await rowsRead((db) => jobRuns(db, names));
  // How it ended last there, and once more to count it.
  expect(read).toBeLessThan(names.length * (48 + 2 * 30));
});
