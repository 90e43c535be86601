/** What the index makes of runs that ask before their start: they wait, and then start, or are skipped. */
import { expect, test } from 'vitest';
import type { Job, Run } from '#protocol/api';
import { call } from './support/api.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';

const START = Date.parse('2026-06-01T00:00:00Z');
const MINUTE = 60_000;

async function indexJobs(runs: readonly Run[]): Promise<void> {
  await index(runs);
  const names = JSON.stringify([...new Set(runs.map((run) => run.job))]);
  await env.DB.prepare('INSERT INTO jobs SELECT value, 0, 0 FROM json_each(?)').bind(names).run();
}

async function job(name: string): Promise<Job> {
  return (await (await call('GET', `/jobs/${name}`)).json<{ job: Job }>()).job;
}

test('a job shows a run that was skipped as its last end only where it has no other', async () => {
  const skipped = { state: 'skipped', exit_code: 75, reason: 'overlap' } as const;
  const good = indexedRun(START, 1_000, { job: 'skipping', machine: 'web1' });
  await indexJobs([
    good,
    indexedRun(START + MINUTE, 0, { job: 'skipping', machine: 'web1', ...skipped }),
    indexedRun(START + MINUTE, 0, { job: 'skipping', machine: 'web2', ...skipped }),
    indexedRun(START + 2 * MINUTE, 0, { job: 'skipping', machine: 'web3', ...skipped }),
  ]);
  await index([indexedRun(START, 1_000, { job: 'skipping', machine: 'web3', state: 'failed', exit_code: 2 })]);
  const { last_ends, last_end_counts, recent_ends } = await job('skipping');
  expect(last_ends.map(({ machine, state }) => `${machine} ${state}`).sort()).toEqual([
    'web1 succeeded',
    'web2 skipped',
    'web3 failed',
  ]);
  expect(last_end_counts).toMatchObject({ succeeded: 1, failed: 1, skipped: 1 });
  expect(recent_ends.filter(({ state }) => state === 'skipped')).toHaveLength(3);
});

test('a job shows a run that waits among its live runs, and lists it by when it started', async () => {
  const asked = indexedRun(START, null, { job: 'waiting', state: 'waiting', seq: 1 });
  await indexJobs([asked]);
  expect(await job('waiting')).toMatchObject({ running: [{ state: 'waiting' }], running_count: 1 });
  await index([{ ...asked, state: 'running', started_at: new Date(START + MINUTE).toISOString(), seq: 2 }]);
  const at = (from: number) => new Date(from).toISOString();
  const listed = (since: number, until: number) =>
    call('GET', `/runs?job=waiting&since=${at(since)}&until=${at(until)}`).then((answer) => answer.json());
  expect(await listed(START + MINUTE - 1, START + MINUTE + 1)).toMatchObject({ runs: [{ id: asked.id }] });
  expect(await listed(START - 1, START + 1)).toMatchObject({ runs: [] });
  // What is sent again, as older, moves nothing back.
  await index([asked]);
  expect(await listed(START - 1, START + 1)).toMatchObject({ runs: [] });
});
