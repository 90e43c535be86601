import { runInDurableObject } from 'cloudflare:test';
import { ulid } from 'ulid';
import { describe, expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { sweep } from '../src/sweep.ts';
import { call, newToken, refusal } from './support/api.ts';
import { indexed, indexedState } from './support/d1.ts';
import { env } from './support/env.ts';
import { jobObject } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

async function connected(job: string, machine = 'web1'): Promise<TestWrapper> {
  const wrapper = await TestWrapper.connect(newIdentity(job, machine));
  await indexed(wrapper.identity.run);
  return wrapper;
}

async function postKills(body: unknown, options: { token?: string; query?: string; key?: string } = {}) {
  const { token, query = '', key } = options;
  const response = await call('POST', `/kills${query}`, {
    body,
    ...(token !== undefined && { token }),
    ...(key !== undefined && { headers: { 'Idempotency-Key': key } }),
  });
  const { kills } = await response.json<{ kills: Kill[] }>();
  return { status: response.status, kills };
}

async function count(table: 'kills' | 'audit', condition: string, ...bindings: string[]): Promise<number> {
  const row = await env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${condition}`)
    .bind(...bindings)
    .first<{ n: number }>();
  return row?.n ?? 0;
}

test('the kills of one call share a batch, in the objects too, and lists can be filtered by it', async () => {
  const [one, two] = await Promise.all([connected('batch-a'), connected('batch-b')]);
  const { kills } = await postKills({ jobs: 'batch-*' });
  const [batch] = new Set(kills.map((kill) => kill.batch));
  expect(kills.map((kill) => kill.batch)).toEqual([batch, batch]);
  expect(batch).toMatch(/^[0-9A-Z]{26}$/);
  const alone = await (await call('POST', '/jobs/batch-a/kill', { body: {} })).json<{ kill: Kill }>();
  expect(alone.kill.batch).toBeNull();
  for (const { id } of kills) {
    const { kill } = await (await call('GET', `/kills/${id}`)).json<{ kill: Kill }>();
    expect(kill).toMatchObject({ batch, targets: [{ run: expect.any(String) }] });
  }
  const listed = async (query: string) =>
    (await (await call('GET', `/kills?${query}`)).json<{ kills: Kill[] }>()).kills.map(({ id }) => id);
  const ids = kills.map(({ id }) => id).sort();
  expect((await listed(`batch=${batch}`)).reverse()).toEqual(ids);
  expect(await listed(`batch=${batch}&job=batch-b`)).toEqual(
    kills.filter(({ job }) => job === 'batch-b').map(({ id }) => id),
  );
  await Promise.all([one, two].map((wrapper) => wrapper.close()));
});

describe('a kill by selector', () => {
  test('creates one kill for each matching job, and reaches its runs', async () => {
    const [one, two, other] = await Promise.all([connected('sel-a'), connected('sel-b'), connected('unsel')]);
    const { status, kills } = await postKills({ jobs: 'sel-*', reason: 'maintenance', grace_seconds: 2 });
    expect(status).toBe(202);
    expect(kills).toMatchObject([
      {
        job: 'sel-a',
        state: 'queued',
        reason: 'maintenance',
        grace_ms: 2000,
        targets: [{ run: one.identity.run, state: 'sent' }],
      },
      {
        job: 'sel-b',
        state: 'queued',
        reason: 'maintenance',
        grace_ms: 2000,
        targets: [{ run: two.identity.run, state: 'sent' }],
      },
    ]);
    expect((await one.kill()).kill).toBe(kills[0]?.id);
    expect((await two.kill()).kill).toBe(kills[1]?.id);
    await other.settled();
    expect(other.of('kill')).toEqual([]);
  });

  test('accepts several globs, of jobs and of machines', async () => {
    const wrappers = await Promise.all([
      connected('several-a', 'db1'),
      connected('several-a', 'web1'),
      connected('several-b', 'web2'),
      connected('several-c', 'db1'),
      connected('several-d', 'mail'),
    ]);
    const { kills } = await postKills({ jobs: ['several-a', 'several-b', '*-d'], machines: ['db*', 'mail'] });
    expect(kills.map(({ job, machine, targets }) => [job, machine, targets.map((target) => target.machine)])).toEqual([
      ['several-a', 'db*,mail', ['db1']],
      ['several-d', 'db*,mail', ['mail']],
    ]);
    await Promise.all(wrappers.map((wrapper) => wrapper.settled()));
    expect(wrappers.map((wrapper) => wrapper.of('kill').length)).toEqual([1, 0, 0, 0, 1]);
  });

  test('by instance alone ends that firing wherever it runs', async () => {
    const who = { ...newIdentity('by-instance'), instance: 'nightly-7' };
    const wrapper = await TestWrapper.connect(who);
    const other = await connected('by-instance');
    await indexed(who.run);
    const { kills } = await postKills({ instance: 'nightly-7' });
    expect(kills).toMatchObject([{ job: 'by-instance', instance: 'nightly-7', targets: [{ run: who.run }] }]);
    await wrapper.kill();
    await other.settled();
    expect(other.of('kill')).toEqual([]);
  });

  test('without a selector is refused: it must never mean everything', async () => {
    for (const body of [{}, { reason: 'oops' }, { jobs: [] }, { machines: [] }, { job: 'a' }, { jobs: 'a b' }]) {
      expect(await refusal(call('POST', '/kills', { body }))).toBe('400 bad_request');
    }
    expect(await refusal(call('POST', '/kills'))).toBe('400 bad_request');
  });

  test('reaches only jobs that the token may kill', async () => {
    const [mine, theirs] = await Promise.all([connected('mine-1'), connected('theirs-1')]);
    const { secret } = await newToken({ name: 'mine', scopes: ['kill'], jobs: 'mine-*' });
    const { kills } = await postKills({ jobs: ['mine-1', 'theirs-1'] }, { token: secret });
    expect(kills.map(({ job }) => job)).toEqual(['mine-1']);
    await mine.kill();
    await theirs.settled();
    expect(theirs.of('kill')).toEqual([]);
    const { secret: reader } = await newToken({ name: 'reader', scopes: ['read', 'run'] });
    expect(await refusal(call('POST', '/kills', { token: reader, body: { jobs: '*' } }))).toBe('403 forbidden');
  });

  test('leaves out jobs with nothing to kill, and is settled if there is nothing at all', async () => {
    const ended = await connected('over-1');
    await ended.completed();
    await waitFor('D1 to know the end', async () => (await indexedState(ended.identity.run)) === 'killed');
    expect(await postKills({ jobs: 'over-*' })).toEqual({ status: 200, kills: [] });
  });

  test('includes a lost run: it may reconnect', async () => {
    const wrapper = await connected('lost-sel');
    const { run } = wrapper.identity;
    await env.DB.prepare(
      "UPDATE runs SET state = 'lost', resource = json_set(resource, '$.state', 'lost') WHERE id = ?",
    )
      .bind(run)
      .run();
    expect((await postKills({ jobs: 'lost-sel' })).kills).toMatchObject([{ job: 'lost-sel', targets: [{ run }] }]);
  });

  test('reaches runs that the index does not have: in jobs named in full, and in matching jobs if they are few', async () => {
    const forgotten = await connected('unindexed-a', 'web1');
    const unseen = await connected('unindexed-b', 'web1');
    await env.DB.prepare("DELETE FROM runs WHERE job GLOB 'unindexed-*'").run();
    await env.DB.prepare("DELETE FROM jobs WHERE name = 'unindexed-b'").run();
    const named = await postKills({ jobs: ['unindexed-a', 'unindexed-b', 'unindexed-none'] });
    expect(named.kills).toMatchObject([
      { job: 'unindexed-a', targets: [{ run: forgotten.identity.run }] },
      { job: 'unindexed-b', targets: [{ run: unseen.identity.run }] },
    ]);
    expect((await postKills({ jobs: 'unindexed-*', machines: 'web*' })).kills).toMatchObject([{ job: 'unindexed-a' }]);
    expect((await postKills({ jobs: 'unindexed-*', machines: 'db*' })).kills).toEqual([]);
  });

  test('reaches a run of such a job that connects later, if its machine matches', async () => {
    await connected('late-sel', 'web1');
    await postKills({ jobs: 'late-sel', machines: 'web*' });
    const fits = await TestWrapper.connect(newIdentity('late-sel', 'web2'), { age_ms: 60_000 });
    await fits.kill();
    const other = await TestWrapper.connect(newIdentity('late-sel', 'db2'), { age_ms: 60_000 });
    await other.settled();
    expect(other.of('kill')).toEqual([]);
  });

  test('returns when all are settled, with `wait`', async () => {
    const wrappers = await Promise.all([connected('wait-a'), connected('wait-b')]);
    const waiting = postKills({ jobs: 'wait-*' }, { query: '?wait=20' });
    await Promise.all(
      wrappers.map(async (wrapper) => {
        const { kill } = await wrapper.kill();
        wrapper.killing(kill, 'gone');
        await wrapper.completed();
      }),
    );
    const { status, kills } = await waiting;
    expect(status).toBe(200);
    expect(kills.map(({ state, targets }) => [state, targets[0]?.exit_code])).toEqual([
      ['settled', 143],
      ['settled', 143],
    ]);
  });

  test('returns the current state when the time is up', async () => {
    await connected('wait-long');
    const { status, kills } = await postKills({ jobs: 'wait-long' }, { query: '?wait=1' });
    expect([status, kills[0]?.state]).toEqual([202, 'queued']);
  });

  test('has an audit entry for each kill, under the request of the call', async () => {
    await Promise.all([connected('audit-a'), connected('audit-b')]);
    const { kills } = await postKills({ jobs: 'audit-*' });
    const { results } = await env.DB.prepare(
      "SELECT subject, actor, action, detail, request_id FROM audit WHERE subject LIKE 'audit-_' ORDER BY subject",
    ).all<{ subject: string; detail: string; request_id: string }>();
    expect(results).toMatchObject([
      { subject: 'audit-a', actor: 'LEASH_ADMIN_TOKEN', action: 'kill', request_id: kills[0]?.request_id },
      { subject: 'audit-b', actor: 'LEASH_ADMIN_TOKEN', action: 'kill', request_id: kills[0]?.request_id },
    ]);
    expect(results.map(({ detail }) => JSON.parse(detail).kill)).toEqual(kills.map(({ id }) => id));
  });

  test('repeated with its key returns the same kills, whatever runs by then', async () => {
    await connected('key-a');
    const first = await postKills({ jobs: 'key-*' }, { key: 'k1' });
    await connected('key-b');
    const again = await postKills({ jobs: 'key-*' }, { key: 'k1' });
    expect(again.kills.map(({ id }) => id)).toEqual(first.kills.map(({ id }) => id));
    expect(await count('kills', "job LIKE 'key-_'")).toBe(1);
    expect(await count('audit', "subject LIKE 'key-_'")).toBe(1);
    const other = call('POST', '/kills', { body: { jobs: 'key-a' }, headers: { 'Idempotency-Key': 'k1' } });
    expect(await refusal(other)).toBe('422 idempotency_conflict');
    const ofOneJob = call('POST', '/jobs/key-a/kill', { body: {}, headers: { 'Idempotency-Key': 'k1' } });
    expect(await refusal(ofOneJob)).toBe('422 idempotency_conflict');
    const nothing = await postKills({ jobs: 'key-nobody' }, { key: 'k2' });
    await connected('key-nobody');
    expect(await postKills({ jobs: 'key-nobody' }, { key: 'k2' })).toEqual(nothing);
  });

  test('that cannot be delivered at once is in the queue, and the sweep delivers it', async () => {
    const wrapper = await connected('push-sel');
    await runInDurableObject(jobObject('push-sel'), (object) => {
      object.acceptKills = () => {
        throw new Error('down');
      };
    });
    const { status, kills } = await postKills({ jobs: 'push-sel' });
    expect([status, kills[0]?.state]).toEqual([202, 'queued']);
    await sweep(env);
    expect((await wrapper.kill()).kill).toBe(kills[0]?.id);
  });
});

describe('a kill of one job', () => {
  test('may name its machines by globs', async () => {
    const [web, db] = await Promise.all([connected('globs', 'web7'), connected('globs', 'db7')]);
    const response = await call('POST', '/jobs/globs/kill', { body: { machine: 'web*,mail' } });
    expect(await response.json()).toMatchObject({ kill: { machine: 'web*,mail', targets: [{ machine: 'web7' }] } });
    await web.kill();
    await db.settled();
    expect(db.of('kill')).toEqual([]);
    const bad = call('POST', '/jobs/globs/kill', { body: { machine: 'web*,,mail' } });
    expect(await refusal(bad)).toBe('400 bad_request');
  });

  test('that names a run of another job is refused with that job, with a key too', async () => {
    const wrapper = await connected('owner-of-run');
    await connected('namesake');
    const { run } = wrapper.identity;
    for (const headers of [{}, { 'Idempotency-Key': 'foreign' }]) {
      const response = await call('POST', '/jobs/namesake/kill', { body: { run }, headers });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({
        code: 'unknown_run',
        detail: expect.stringContaining('job owner-of-run'),
      });
    }
    expect(await count('kills', 'job = ?', 'namesake')).toBe(0);
    expect(await count('audit', 'subject = ?', 'namesake')).toBe(0);
    const { secret } = await newToken({ name: 'namesakes', scopes: ['kill'], jobs: 'namesake' });
    // A token that may not see the other job is not told whether there is such a run: any id is answered the same.
    for (const id of [run, ulid()]) {
      const blind = await call('POST', '/jobs/namesake/kill', { token: secret, body: { run: id } });
      expect(blind.status).toBe(202);
      expect(await blind.text()).not.toContain('owner-of-run');
    }
  });
});
