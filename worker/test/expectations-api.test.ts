/** Expectations as the API sets, shows and removes them. */
import type * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import type { AuditList } from '#protocol/api';
import type { BrokenExpectations, ExpectationList } from '#protocol/expectations';
import { waitFor } from '#testing/wait-for';
import { habitsOf } from '../src/habits.ts';
import { call, newToken, refusal } from './support/api.ts';
import { at } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { isOutboxEmpty } from './support/objects.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

async function seenJob(job: string) {
  const who = newIdentity(job);
  const wrapper = await TestWrapper.connect(who);
  await wrapper.completed(EXITED);
  await indexed(who.run);
  return who;
}

const path = (job: string) => `/jobs/${job}/expectations`;

async function listed(job: string) {
  const response = await call('GET', path(job));
  return response.json<v.InferOutput<typeof ExpectationList>>();
}

test('an admin sets, replaces and removes what is expected, and the audit log says so', async () => {
  const { job } = await seenJob('api-expect');
  const set = await call('PUT', path(job), { body: { schedule: '0 3 * * *', time_zone: 'Europe/Berlin' } });
  expect(set.status).toBe(200);
  expect(await set.json()).toMatchObject({
    expectation: { job, machine: null, schedule: '0 3 * * *', every_ms: null, source: 'operator', problem: null },
  });
  await call('PUT', path(job), { body: { every_ms: HOUR_MS } });
  await call('PUT', path(job), { body: { machine: 'web1', slow_after_ms: HOUR_MS } });
  expect((await listed(job)).expectations).toMatchObject([
    { machine: null, every_ms: HOUR_MS, schedule: null },
    { machine: 'web1', every_ms: null, slow_after_ms: HOUR_MS },
  ]);
  expect((await call('DELETE', `${path(job)}?machine=web1`)).status).toBe(204);
  expect(await refusal(call('DELETE', `${path(job)}?machine=web1`))).toBe('404 not_found');
  expect((await listed(job)).expectations).toMatchObject([{ machine: null }]);
  const { audit } = await (await call('GET', `/audit?subject=${job}`)).json<v.InferOutput<typeof AuditList>>();
  expect(audit.map(({ action, detail }) => [action, detail.machine])).toEqual([
    ['expectation_removed', 'web1'],
    ['expectation_set', 'web1'],
    ['expectation_set', null],
    ['expectation_set', null],
  ]);
});

test.each([
  [{ schedule: '0 3 31 2 *' }, 'The schedule "0 3 31 2 *" never fires.'],
  [{ schedule: '0 3 * *' }, 'must have five fields'],
  [{ schedule: '0 3 * * *', time_zone: 'Mars/Base' }, 'The time zone "Mars/Base" is unknown'],
  [{ schedule: '0 3 * * *', every_ms: HOUR_MS }, 'An interval and a schedule are mutually exclusive.'],
  [{ every_ms: 1 }, 'every_ms'],
  [{ every: '1h' }, 'every'],
])('%o is refused', async (body, detail) => {
  const { job } = await seenJob('api-expect-bad');
  const response = await call('PUT', path(job), { body });
  expect(response.status).toBe(400);
  expect((await response.json<{ detail: string }>()).detail).toContain(detail);
  expect((await listed(job)).expectations).toEqual([]);
});

test('nothing is expected of a job that has no runs', async () => {
  expect(await refusal(call('PUT', path('api-expect-none'), { body: { every_ms: HOUR_MS } }))).toBe('404 unknown_job');
});

test('those that do not hold are listed for those who may see the job, and counted', async () => {
  const who = newIdentity('api-expect-broken');
  const expected = { every_ms: MINUTE_MS, schedule: null, time_zone: null, late_after_ms: 1_000, slow_after_ms: null };
  await at(Date.now() - HOUR_MS, async () => {
    const wrapper = await TestWrapper.connect(who, { expected });
    await wrapper.completed(EXITED);
    wrapper.close();
    await waitFor('D1 to have everything', () => isOutboxEmpty(who.job));
  });
  // As the object says it, which is tested elsewhere.
  const { env } = await import('./support/env.ts');
  await env.DB.prepare(
    "UPDATE expectations SET state = 'late', resource = json_set(resource, '$.state', 'late') WHERE job = ?",
  )
    .bind(who.job)
    .run();
  const broken = async (token?: string) => {
    const response = await call('GET', '/expectations', token === undefined ? {} : { token });
    return (await response.json<v.InferOutput<typeof BrokenExpectations>>()).expectations.map(({ job }) => job);
  };
  expect(await broken()).toContain(who.job);
  const { secret } = await newToken({ name: 'others', scopes: ['read'], jobs: 'other-*' });
  expect(await broken(secret)).toEqual([]);
  const metrics = await (await call('GET', '/../../metrics')).text();
  expect(metrics).toContain('leash_expectations_broken{state="late"} 1');
});

describe('what runs are usually like', () => {
  const run = (startMs: number, tookMs: number | null, machine = 'web1') => ({
    machine,
    state: tookMs === null ? ('running' as const) : ('succeeded' as const),
    started_at: new Date(startMs).toISOString(),
    ended_at: tookMs === null ? null : new Date(startMs + tookMs).toISOString(),
  });
  const start = Date.parse('2026-06-01T00:00:00Z');
  const each = (count: number, everyMs: number, jitterMs = 0) =>
    Array.from({ length: count }, (_, index) => start + index * everyMs + ((index * 7) % 5) * jitterMs);

  test('an interval, although one was missed, and how long most take', () => {
    const starts = each(30, 15 * MINUTE_MS, 3_000).filter((_, index) => index !== 12);
    const usual = habitsOf(starts.map((at, index) => run(at, 40_000 + (index % 9) * 10_000)));
    expect(usual).toEqual({ every_ms: 15 * MINUTE_MS, duration_ms: { low: 40_000, high: 110_000 }, runs: 29 });
  });

  test('every day, although the clock was put back', () => {
    const days = each(20, 24 * HOUR_MS).map((at, index) => (index < 10 ? at : at + HOUR_MS));
    expect(habitsOf(days.map((at) => run(at, null)))?.every_ms).toBe(24 * HOUR_MS);
  });

  test('on several machines at about the same time, it is once', () => {
    const runs = each(20, HOUR_MS).flatMap((at) => [run(at, null, 'a'), run(at + 2_000, null, 'b')]);
    expect(habitsOf(runs)?.every_ms).toBe(HOUR_MS);
  });

  test.each([
    ['too few', each(5, HOUR_MS)],
    ['irregular', each(30, HOUR_MS).map((at, index) => at + ((index * 37) % 60) * MINUTE_MS)],
    ['on weekdays only', each(60, 24 * HOUR_MS).filter((at) => ![0, 6].includes(new Date(at).getUTCDay()))],
    [
      'in office hours only',
      each(400, 15 * MINUTE_MS).filter((at) => new Date(at).getUTCHours() >= 9 && new Date(at).getUTCHours() < 17),
    ],
  ])('there is no pattern in starts that are %s', (_, starts) => {
    expect(habitsOf(starts.map((at) => run(at, null)))).toBeNull();
  });
});
