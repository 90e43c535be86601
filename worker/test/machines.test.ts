import { describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import type { Machine, MachineBody } from '#protocol/machines';
import { jobsOfMachine, listMachines } from '../shared/d1/machines.ts';
import { call, newToken, refusal } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun, rowsRead } from './support/indexed-runs.ts';

const START = Date.parse('2026-06-01T00:00:00Z');
const MINUTE = 60_000;
const FAILED = { state: 'failed', exit_code: 3 } as const;

const run = (minute: number, machine: string, fields: Partial<Run> = {}) =>
  indexedRun(START + minute * MINUTE, 1_000, { job: 'm-job', machine, ...fields });

async function machine(name: string, token?: string): Promise<MachineBody> {
  const answer = await call('GET', `/machines/${name}`, token === undefined ? {} : { token });
  return answer.json<MachineBody>();
}

async function list(query = '', token?: string): Promise<Machine[]> {
  const answer = await call('GET', `/machines${query}`, token === undefined ? {} : { token });
  return (await answer.json<{ machines: Machine[] }>()).machines;
}

describe('a machine', () => {
  test('is where jobs ended: with when it was last seen, its wrapper, and what ended badly last', async () => {
    const host = { is_root: true, os: 'Debian 12', node: 'v22.1.0' };
    const bad = [1, 5].map((minute) => run(minute, 'ended', { job: `m-bad-${minute}`, ...FAILED }));
    const last = run(9, 'ended', { wrapper_version: '2.0.0', host });
    await index([...bad, run(3, 'ended', { wrapper_version: '1.0.0' }), last]);
    const { machine: found } = await machine('ended');
    expect(found).toEqual({
      name: 'ended',
      is_connected: false,
      last_seen_at: last.ended_at,
      running_count: 0,
      job_count: 3,
      bad_job_count: 2,
      last_bad_end: {
        job: 'm-bad-5',
        machine: 'ended',
        run: bad[1]?.id,
        state: 'failed',
        exit_code: 3,
        ended_at: bad[1]?.ended_at,
      },
      wrapper: null,
      wrapper_version: '2.0.0',
      os: 'Debian 12',
      node: 'v22.1.0',
    });
  });

  test('is seen now while a wrapper is connected, also before anything has ended there', async () => {
    await index([indexedRun(START, null, { job: 'm-job', machine: 'busy' })]);
    const before = Date.now();
    const { machine: found, running, jobs } = await machine('busy');
    expect(found).toMatchObject({ is_connected: true, running_count: 1, job_count: 0, last_bad_end: null });
    expect(Date.parse(found.last_seen_at)).toBeGreaterThanOrEqual(before);
    expect(running.map(({ state }) => state)).toEqual(['running']);
    expect(jobs).toEqual([{ job: 'm-job', last_end: null, recent_ends: [], expectation: null }]);
  });

  test('was last seen when its last run was disconnected', async () => {
    const disconnected_since = new Date(START + 7 * MINUTE).toISOString();
    await index([
      run(1, 'away'),
      indexedRun(START, null, { job: 'm-job', machine: 'away', connected: false, disconnected_since }),
    ]);
    expect((await machine('away')).machine).toMatchObject({ is_connected: false, last_seen_at: disconnected_since });
  });

  test('has its jobs, those that need attention first, with their last ends there and not elsewhere', async () => {
    const ends = [1, 2, 3].map((minute) => run(minute, 'host', { job: 'm-many', ...(minute === 2 && FAILED) }));
    const bad = run(0, 'host', { job: 'm-bad', ...FAILED });
    await index([...ends, bad, run(4, 'elsewhere', { job: 'm-many' })]);
    const { jobs } = await machine('host');
    expect(jobs.map(({ job }) => job)).toEqual(['m-bad', 'm-many']);
    expect(jobs[1]?.last_end).toMatchObject({ machine: 'host', run: ends[2]?.id, state: 'succeeded' });
    expect(jobs[1]?.recent_ends.map((end) => end.run)).toEqual(ends.map(({ id }) => id).reverse());
  });

  test('has what is expected there: of the machine, or else of the job as a whole', async () => {
    await index([run(1, 'due', { job: 'm-due-here' }), run(1, 'due', { job: 'm-due-anywhere' })]);
    const expected = (job: string, on: string | null, every_ms: number) => {
      const expectation = {
        job,
        machine: on,
        every_ms,
        source: 'run',
        state: 'ok',
        since: new Date(START).toISOString(),
        due_at: null,
        last_started_at: null,
        seq: 1,
      };
      return env.DB.prepare('INSERT INTO expectations VALUES (?, ?, ?, ?, 1, ?)').bind(
        job,
        on ?? '',
        'ok',
        START,
        JSON.stringify(expectation),
      );
    };
    await env.DB.batch([
      expected('m-due-here', null, 60_000),
      expected('m-due-here', 'due', 120_000),
      expected('m-due-anywhere', null, 180_000),
      expected('m-due-anywhere', 'other', 240_000),
    ]);
    const { jobs } = await machine('due');
    expect(new Map(jobs.map(({ job, expectation }) => [job, expectation?.every_ms]))).toEqual(
      new Map([
        ['m-due-here', 120_000],
        ['m-due-anywhere', 180_000],
      ]),
    );
  });

  test('is unknown when no run was there', async () => {
    expect(await refusal(call('GET', '/machines/nowhere'))).toBe('404 unknown_machine');
  });
});

describe('GET /machines', () => {
  test('lists each machine once, by name, page by page', async () => {
    await index([
      run(1, 'list-a'),
      run(2, 'list-b', { job: 'm-other' }),
      run(3, 'list-b'),
      indexedRun(START, null, { job: 'm-job', machine: 'list-b' }),
      indexedRun(START, null, { job: 'm-job', machine: 'list-c' }),
      run(4, 'list-d'),
    ]);
    const names: string[] = [];
    for (let cursor: string | null = 'list-'; cursor !== null; ) {
      const answer = await call('GET', `/machines?limit=2&cursor=${cursor}`);
      const page = await answer.json<{ machines: Machine[]; next_cursor: string | null }>();
      expect(page.machines.length).toBeLessThanOrEqual(2);
      names.push(...page.machines.map(({ name }) => name).filter((name) => name.startsWith('list-')));
      cursor = page.next_cursor;
    }
    expect(names).toEqual(['list-a', 'list-b', 'list-c', 'list-d']);
  });

  test('shows a token only the machines of its jobs, and of these only its jobs', async () => {
    const { secret } = await newToken({ name: 'mine', scopes: ['read'], jobs: 'mine-*' });
    await index([
      run(1, 'shared', { job: 'mine-1', wrapper_version: '1.1.1' }),
      run(9, 'shared', { job: 'theirs', wrapper_version: '9.9.9', ...FAILED }),
      run(1, 'theirs', { job: 'theirs' }),
      indexedRun(START, null, { job: 'theirs', machine: 'theirs-live' }),
    ]);
    const machines = await list('', secret);
    expect(machines).toMatchObject([
      { name: 'shared', job_count: 1, bad_job_count: 0, last_bad_end: null, wrapper_version: '1.1.1' },
    ]);
    expect((await machine('shared', secret)).jobs.map(({ job }) => job)).toEqual(['mine-1']);
    expect(await refusal(call('GET', '/machines/theirs', { token: secret }))).toBe('404 unknown_machine');
    expect(await refusal(call('GET', '/machines/theirs-live', { token: secret }))).toBe('404 unknown_machine');
  });
});

test('machines are listed and shown from few rows, however many runs there were', async () => {
  const [machines, jobs] = [200, 10];
  await index(
    Array.from({ length: machines * jobs * 10 }, (_, nth) =>
      run(nth, `wide-${Math.floor(nth / jobs) % machines}`, { job: `wide-${nth % jobs}` }),
    ),
  );
  const scope = { jobGlob: 'wide-*', now: START };
  let found = 0;
  const listed = await rowsRead(async (db) => {
    found = (await listMachines(db, { ...scope, after: 'wide-' }, 100)).length;
  });
  expect(found).toBe(100);
  // Each job of each, in the index and in the table: for the names, for the last end and for the last bad one.
  expect(listed).toBeLessThan(100 * (6 * jobs + 5));
  const shown = await rowsRead(async (db) => {
    found = (await jobsOfMachine(db, 'wide-7', scope)).jobs.length;
  });
  expect(found).toBe(jobs);
  // The last hundred runs of each job are looked through.
  expect(shown).toBeLessThan(jobs * 250);
});
