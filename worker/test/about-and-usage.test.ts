/** What a job is, as its runs say, and what they took. */
import { ulid } from 'ulid';
import { describe, expect, test } from 'vitest';
import { type About, NO_ABOUT } from '#protocol/about';
import type { Job, Run } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { call, refusal } from './support/api.ts';
import { costOf } from './support/cost.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';
import { isOutboxEmpty, run } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

const ABOUT: About = {
  tags: ['nightly', 'team:data'],
  owner: 'data@example.com',
  runbook: 'https://wiki.example.com/backup',
  note: 'Safe to run again.',
};
const USAGE = {
  cpu_ms: 1_500,
  peak_memory_bytes: 64 * 1024 * 1024,
  memory_bytes: null,
  read_bytes: 4_096,
  written_bytes: 8_192,
};

async function job(name: string): Promise<Job> {
  return (await (await call('GET', `/jobs/${name}`)).json<{ job: Job }>()).job;
}

describe('what a run took', () => {
  test('is stored with its end', async () => {
    const who = newIdentity('usage-end');
    const wrapper = await TestWrapper.connect(who);
    expect(await run(who.job, who.run)).toMatchObject({ usage: null });
    await wrapper.completed({ ...EXITED, usage: USAGE });
    expect(await run(who.job, who.run)).toMatchObject({ usage: USAGE });
  });

  test('may be missing, or malformed, without any harm to the end', async () => {
    for (const usage of [undefined, { ...USAGE, cpu_ms: -1 }]) {
      const who = newIdentity('usage-none');
      const wrapper = await TestWrapper.connect(who);
      await wrapper.completed({ ...EXITED, usage });
      expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded', usage: null });
    }
  });

  test('while it runs, is sent to those who follow the run, and stored nowhere', async () => {
    const who = newIdentity('usage-live');
    const wrapper = await TestWrapper.connect(who);
    const [follower, other] = await Promise.all([
      TestViewer.watch(`/jobs/${who.job}/watch`),
      TestViewer.watch(`/jobs/${who.job}/watch`),
    ]);
    follower.say({ type: 'subscribe', run: who.run, offset: 0 });
    await follower.next('subscribed');
    await waitFor('D1 to have everything', () => isOutboxEmpty(who.job));
    const now = { ...USAGE, memory_bytes: 5 };
    const { objectRows, d1Rows } = await costOf(async () => {
      wrapper.say({ type: 'usage', usage: now });
      await follower.next('usage');
    });
    expect({ objectRows, d1Rows }).toEqual({ objectRows: 0, d1Rows: 0 });
    expect(follower.of('usage')).toEqual([{ type: 'usage', run: who.run, usage: now }]);
    expect(other.of('usage')).toEqual([]);
    expect(await run(who.job, who.run)).toMatchObject({ usage: null });
  });
});

describe('what a job is', () => {
  test('is what its newest run says, and nothing when that says nothing', async () => {
    const who = newIdentity('about-job');
    const wrapper = await TestWrapper.connect(who, { about: ABOUT });
    await waitFor('D1 to have it', () => isOutboxEmpty(who.job));
    expect(await run(who.job, who.run)).toMatchObject({ about: ABOUT });
    expect((await job(who.job)).about).toEqual(ABOUT);
    // An old one that ends later changes nothing.
    const next = { ...who, run: ulid() };
    await TestWrapper.connect(next, { about: { ...ABOUT, owner: 'someone' } });
    await waitFor('D1 to have it', () => isOutboxEmpty(who.job));
    await wrapper.completed(EXITED);
    await waitFor('D1 to have it', () => isOutboxEmpty(who.job));
    expect((await job(who.job)).about).toEqual({ ...ABOUT, owner: 'someone' });
    await TestWrapper.connect({ ...who, run: ulid() });
    await waitFor('D1 to have it', () => isOutboxEmpty(who.job));
    expect((await job(who.job)).about).toBeNull();
  });

  test('is no condition of a start: what is malformed is left out', async () => {
    const who = newIdentity('about-odd');
    await TestWrapper.connect(who, { about: { ...ABOUT, runbook: 'javascript:alert(1)' } });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', about: null });
  });

  test('is written to D1 only when it changes, and costs a run without it no row', async () => {
    const rows = async (runs: readonly Run[]) => (await costOf(() => index(runs))).statements;
    const written = async (runs: readonly Run[]) =>
      [...(await rows(runs))].some(([statement]) => statement.includes('job_abouts'));
    const at = Date.parse('2026-10-01T00:00:00Z');
    const oneOf = (minute: number, about: About | null) =>
      indexedRun(at + minute * 60_000, 1_000, { job: 'about-rows', about });
    expect(await written([oneOf(0, null)])).toBe(false);
    expect(await written([oneOf(1, ABOUT)])).toBe(true);
    expect(await written([oneOf(2, ABOUT), oneOf(3, ABOUT)])).toBe(false);
    expect(await written([oneOf(4, { ...ABOUT, note: null }), oneOf(5, ABOUT)])).toBe(false);
    expect(await written([oneOf(6, { ...ABOUT, note: null })])).toBe(true);
    expect(await written([oneOf(0, null)])).toBe(false);
    expect(await written([oneOf(7, null)])).toBe(true);
  });

  test('filters runs and jobs by tag', async () => {
    const at = Date.parse('2026-10-02T00:00:00Z');
    const tagged = (name: string, minute: number, tags: string[]) =>
      indexedRun(at + minute * 60_000, 1_000, { job: name, about: tags.length === 0 ? null : { ...NO_ABOUT, tags } });
    const runs = [
      tagged('tagged-a', 0, ['hourly-x']),
      tagged('tagged-a', 1, ['nightly-x', 'hourly-x']),
      tagged('tagged-b', 2, ['nightly-x']),
      tagged('tagged-c', 3, []),
      tagged('tagged-c', 4, ['nightly-xy']),
    ];
    await index(runs);
    await env.DB.exec("INSERT INTO jobs VALUES ('tagged-a', 0, 0), ('tagged-b', 0, 0), ('tagged-c', 0, 0)");
    const list = async (path: string) => (await call('GET', path)).json<{ runs: Run[]; jobs: Job[] }>();
    const idsOf = async (query: string) => (await list(`/runs?${query}`)).runs.map(({ id }) => id);
    expect(await idsOf('tag=nightly-x')).toEqual([runs[2]?.id, runs[1]?.id]);
    expect(await idsOf('tag=hourly-x&job=tagged-a')).toEqual([runs[1]?.id, runs[0]?.id]);
    expect(await idsOf('tag=nightly-x&since=2026-10-02T00:01:30Z')).toEqual([runs[2]?.id]);
    const { jobs } = await list('/jobs?tag=nightly-x');
    expect(jobs.map(({ name, about }) => [name, about?.tags])).toEqual([
      ['tagged-a', ['nightly-x', 'hourly-x']],
      ['tagged-b', ['nightly-x']],
    ]);
    expect(await refusal(await call('GET', '/runs?tag=a%20b'))).toBe('400 bad_request');
  });
});
