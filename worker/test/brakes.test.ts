/** Brakes and maintenance: what they kill, in whichever order runs and brakes come, and who may set, see and end them. */
import { describe, expect, test, vi } from 'vitest';
import type { Kill } from '#protocol/api';
import type { Brake } from '#protocol/brakes';
import { MAX_BRAKES } from '#protocol/limits';
import { waitFor } from '#testing/wait-for';
import { activeBrakes } from '../shared/d1/brakes.ts';
import { sweep } from '../src/sweep.ts';
import { call, newToken, refusal } from './support/api.ts';
import { indexed, rejecting, withD1 } from './support/d1.ts';
import { env } from './support/env.ts';
import { disconnected, isOutboxEmpty, run, runEvents } from './support/objects.ts';
import { connectSaltpeter, runOf, saltpeterNames } from './support/saltpeter.ts';
import { TestViewer } from './support/viewer.ts';
import { EXITED, type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const HOUR_MS = 60 * 60 * 1000;

function inAnHour(): string {
  return new Date(Date.now() + HOUR_MS).toISOString();
}

interface Created {
  readonly brake: Brake;
  readonly kills: readonly Kill[];
}

async function setBrake(body: object, options: { token?: string; headers?: Record<string, string> } = {}) {
  const response = await call('POST', '/brakes', { body: { until: inAnHour(), kill: true, ...body }, ...options });
  if (response.status !== 201) throw new Error(`not set: ${response.status} ${await response.text()}`);
  return response.json<Created>();
}

async function listed(token?: string): Promise<readonly Brake[]> {
  const response = await call('GET', '/brakes', token === undefined ? {} : { token });
  return (await response.json<{ brakes: Brake[] }>()).brakes;
}

function end(id: string, token?: string): Promise<Response> {
  return call('DELETE', `/brakes/${id}`, token === undefined ? {} : { token });
}

async function killsOf(brake: string): Promise<readonly Kill[]> {
  const response = await call('GET', `/kills?batch=${brake}`);
  return (await response.json<{ kills: Kill[] }>()).kills;
}

async function isKilledBy(wrapper: TestWrapper, { reason }: Pick<Brake, 'reason'>): Promise<void> {
  expect(await wrapper.kill()).toMatchObject({ reason: reason === null ? 'brake' : `brake: ${reason}` });
}

async function isNotKilled(wrapper: TestWrapper): Promise<void> {
  await wrapper.settled();
  expect(wrapper.of('kill')).toEqual([]);
}

async function endedByKill(wrapper: TestWrapper): Promise<void> {
  const { kill } = await wrapper.kill();
  wrapper.killing(kill, 'term');
  wrapper.killing(kill, 'gone');
  await wrapper.completed();
}

async function machineToken(jobs: string): Promise<string> {
  return (await newToken({ name: 'machine', scopes: ['run'], jobs })).secret;
}

describe('a brake', () => {
  test('kills what runs when it is set, and the answer has the kills', async () => {
    const who = newIdentity('brake-now');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const { brake, kills } = await setBrake({ jobs: 'brake-now', reason: 'bad data' });
    expect(kills).toHaveLength(1);
    expect(kills[0]).toMatchObject({ job: 'brake-now', batch: brake.id, reason: 'brake: bad data' });
    await isKilledBy(wrapper, brake);
    await end(brake.id);
  });

  test.each([
    ['the admin token', async () => env.LEASH_ADMIN_TOKEN],
    ['a token of its own', () => machineToken('brake-late*')],
  ])('kills a run that connects with %s while it is active, once', async (_what, tokenOf) => {
    const token = await tokenOf();
    const job = `brake-late-${_what.length}`;
    const { brake, kills } = await setBrake({ jobs: 'brake-late*', reason: 'bad data' });
    expect(kills).toEqual([]);
    const who = newIdentity(job);
    const wrapper = await TestWrapper.connect(who, {}, token);
    await isKilledBy(wrapper, brake);
    wrapper.close();
    await disconnected(who);
    const again = await TestWrapper.connect(who, {}, token);
    await endedByKill(again);
    expect(await run(job, who.run)).toMatchObject({ state: 'killed', exit_code: 143 });
    const [requested, ...others] = (await runEvents(job, who.run)).filter(({ type }) => type === 'kill_requested');
    expect(requested).toMatchObject({ requested_by: 'admin', reason: 'brake: bad data' });
    expect(others).toEqual([]);
    await waitFor('D1 to have it', () => isOutboxEmpty(job));
    const made = await killsOf(brake.id);
    expect(made.map((kill) => [kill.run, kill.state])).toEqual([[who.run, 'settled']]);
    const audit = await call('GET', `/audit?subject=${job}`);
    const { audit: entries } = await audit.json<{ audit: { action: string; actor: unknown; detail: unknown }[] }>();
    expect(entries).toMatchObject([
      { action: 'kill', actor: { id: 'LEASH_ADMIN_TOKEN' }, detail: { brake: brake.id, run: who.run } },
    ]);
    await end(brake.id);
  });

  test('kills a run that was between its sign-in and its start when it was set, by the sweep', async () => {
    const who = newIdentity('brake-between');
    const wrapper = await TestWrapper.connect(who, null);
    const { brake, kills } = await setBrake({ jobs: 'brake-between' });
    expect(kills).toEqual([]);
    wrapper.start();
    await wrapper.started();
    await isNotKilled(wrapper);
    await indexed(who.run);
    await sweep(env);
    await isKilledBy(wrapper, brake);
    // A second sweep finds that it was killed.
    await sweep(env);
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
    await end(brake.id);
  });

  test('kills no run that reconnects and is killed already, by the call that set the brake', async () => {
    const who = newIdentity('brake-reconnect');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    wrapper.close();
    await disconnected(who);
    const { brake, kills } = await setBrake({ jobs: 'brake-reconnect' });
    expect(kills).toHaveLength(1);
    const again = await TestWrapper.connect(who);
    expect((await again.kill()).kill).toBe(kills[0]?.id);
    await again.settled();
    expect(again.of('kill')).toHaveLength(1);
    await end(brake.id);
  });

  test('kills on the machines that it names, and of the jobs that it names', async () => {
    const { brake } = await setBrake({ jobs: ['brake-glob-*', 'brake-one'], machines: ['db-*', 'web1'] });
    for (const [job, machine, isKilled] of [
      ['brake-glob-1', 'db-7', true],
      ['brake-one', 'web1', true],
      ['brake-one', 'web12', false],
      ['brake-other', 'db-7', false],
    ] as const) {
      const wrapper = await TestWrapper.connect(newIdentity(job, machine));
      await (isKilled ? isKilledBy(wrapper, brake) : isNotKilled(wrapper));
    }
    await end(brake.id);
  });

  test('that has ended, by itself or early, kills nothing any more', async () => {
    const { brake } = await setBrake({ jobs: 'brake-ended' });
    expect((await end(brake.id)).status).toBe(204);
    await isNotKilled(await TestWrapper.connect(newIdentity('brake-ended')));
    await setBrake({ jobs: 'brake-expired' });
    await env.DB.prepare('UPDATE brakes SET until = 1 WHERE jobs = \'["brake-expired"]\'').run();
    await isNotKilled(await TestWrapper.connect(newIdentity('brake-expired')));
    await sweep(env);
    const { results } = await env.DB.prepare('SELECT id FROM brakes WHERE until = 1').all();
    expect(results).toEqual([]);
  });

  test('that ends while a wrapper is connecting kills nothing', async () => {
    const { brake } = await setBrake({ jobs: 'brake-over', until: new Date(Date.now() + 5_000).toISOString() });
    const wrapper = await TestWrapper.connect(newIdentity('brake-over'), null);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(brake.until) });
    try {
      wrapper.start();
      await wrapper.started();
      await isNotKilled(wrapper);
    } finally {
      vi.useRealTimers();
    }
    await end(brake.id);
  });

  test('leaves runs alone that only report their end', async () => {
    const { brake } = await setBrake({ jobs: 'brake-report' });
    const wrapper = await TestWrapper.connect(newIdentity('brake-report'), { phase: 'ended' });
    await wrapper.completed(EXITED);
    expect(wrapper.of('kill')).toEqual([]);
    await end(brake.id);
  });

  test("kills a run under Saltpeter's wrapper", async () => {
    const { brake } = await setBrake({ jobs: 'brake-sp' });
    const names = saltpeterNames('brake-sp');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.reply('kill');
    const { id } = await runOf(names);
    expect((await runEvents('brake-sp', id)).map(({ type }) => type)).toContain('kill_sent');
    await end(brake.id);
  });

  test('of the strictest kind counts where several match', async () => {
    const maintenance = await setBrake({ jobs: 'brake-two', kill: false });
    const { brake } = await setBrake({ jobs: 'brake-t*', reason: 'the brake' });
    const wrapper = await TestWrapper.connect(newIdentity('brake-two'));
    await isKilledBy(wrapper, brake);
    await end(brake.id);
    await isNotKilled(await TestWrapper.connect(newIdentity('brake-two')));
    await end(maintenance.brake.id);
  });
});

describe('maintenance', () => {
  test('lets runs run, and is listed', async () => {
    const who: Identity = newIdentity('maintained');
    const before = await TestWrapper.connect(who);
    const { brake, kills } = await setBrake({ jobs: 'maintained', kill: false });
    expect(kills).toEqual([]);
    await isNotKilled(before);
    await isNotKilled(await TestWrapper.connect(newIdentity('maintained')));
    expect(await listed()).toContainEqual(brake);
    await end(brake.id);
    expect(await listed()).not.toContainEqual(brake);
  });
});

describe('setting a brake', () => {
  test.each([
    ['in the past', { until: '2020-01-01T00:00:00Z' }],
    ['after more than 30 days', { until: new Date(Date.now() + 31 * 24 * HOUR_MS).toISOString() }],
    ['never', { until: undefined }],
    ['at no time', { until: 'tomorrow' }],
  ])('that ends %s is refused', async (_what, body) => {
    const response = call('POST', '/brakes', { body: { kill: true, jobs: 'brake-bad', ...body } });
    expect(await refusal(response)).toBe('400 bad_request');
  });

  test('twice with one key sets one, and with another request is refused', async () => {
    const headers = { 'Idempotency-Key': 'brake-once' };
    const body = { jobs: 'brake-key', until: inAnHour() };
    const first = await setBrake(body, { headers });
    expect(await setBrake(body, { headers })).toEqual(first);
    const other = call('POST', '/brakes', { body: { ...body, kill: false }, headers });
    expect(await refusal(other)).toBe('422 idempotency_conflict');
    await end(first.brake.id);
    expect(await refusal(call('POST', '/brakes', { body: { kill: true, ...body }, headers }))).toBe(
      '404 unknown_brake',
    );
  });

  test('is audited, and so is its end', async () => {
    const { brake } = await setBrake({ jobs: 'brake-audit', machines: 'db-*', reason: 'why' });
    // At once: one of the two has ended it.
    const ends = await Promise.all([end(brake.id), end(brake.id)]);
    expect(ends.map(({ status }) => status).toSorted()).toEqual([204, 404]);
    const response = await call('GET', `/audit?subject=${brake.id}`);
    const { audit } = await response.json<{ audit: { action: string; detail: object }[] }>();
    const detail = { jobs: ['brake-audit'], machines: ['db-*'], reason: 'why', kill: true };
    expect(audit).toMatchObject([
      { action: 'brake_ended', detail },
      { action: 'brake_created', detail: { ...detail, until: brake.until } },
    ]);
  });

  test('beyond their largest number is refused, and writes nothing', async () => {
    const insert = env.DB.prepare(
      `INSERT INTO brakes (id, jobs, machines, until, kills, created_by, created_by_id, created_at)
       SELECT 'many-' || value, '["brake-many"]', '["*"]', 9e15, 0, 'x', 'x', 0 FROM json_each(?)`,
    );
    const room = MAX_BRAKES - (await activeBrakes(env.DB, Date.now())).length;
    await insert.bind(JSON.stringify(Array.from({ length: room }, (_, index) => index))).run();
    const headers = { 'Idempotency-Key': 'brake-many' };
    const body = { jobs: 'brake-many', until: inAnHour(), kill: false };
    expect(await refusal(call('POST', '/brakes', { body, headers }))).toBe('409 too_many_brakes');
    await env.DB.exec("DELETE FROM brakes WHERE id LIKE 'many-%'");
    // The key was not used up.
    const { brake } = await setBrake(body, { headers });
    await end(brake.id);
  });

  test('while D1 is away is refused with 503, and no run is killed', async () => {
    const who = newIdentity('brake-away');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    await withD1(rejecting, async () => {
      const body = { jobs: 'brake-away', until: inAnHour(), kill: true };
      expect(await refusal(call('POST', '/brakes', { body }))).toBe('503 unavailable');
      // A wrapper with the deployment's own secret connects all the same.
      await isNotKilled(await TestWrapper.connect(newIdentity('brake-away')));
    });
    await isNotKilled(wrapper);
    expect(await listed()).toEqual([]);
  });

  test('is announced to dashboards', async () => {
    const viewers = [await TestViewer.watch('/watch'), await TestViewer.watch('/watch?only=brakes')];
    const areTold = (times: number) => viewers.every((viewer) => viewer.of('brakes').length === times);
    const { brake } = await setBrake({ jobs: 'brake-told' });
    await waitFor('the first announcement', () => areTold(1));
    await end(brake.id);
    await waitFor('the second announcement', () => areTold(2));
    for (const viewer of viewers) viewer.close();
  });
});

describe('a token of some jobs', () => {
  async function limited(jobs: string): Promise<string> {
    return (await newToken({ name: `of ${jobs}`, scopes: ['kill', 'read'], jobs })).secret;
  }

  test('sets brakes on its own jobs only', async () => {
    const token = await limited('mine-*');
    for (const jobs of ['yours', 'm*', ['mine-1', 'yours'], 'mine']) {
      const body = { jobs, until: inAnHour(), kill: true };
      expect(await refusal(call('POST', '/brakes', { token, body }))).toBe('403 forbidden');
    }
    const { brake } = await setBrake({ jobs: 'mine-*-x' }, { token });
    await isNotKilled(await TestWrapper.connect(newIdentity('yours')));
    await isKilledBy(await TestWrapper.connect(newIdentity('mine-1-x')), brake);
    await end(brake.id);
  });

  test('means its own jobs by all jobs', async () => {
    const token = await limited('mine-*');
    const { brake } = await setBrake({ machines: 'web1' }, { token });
    expect(brake.jobs).toEqual(['mine-*']);
    await isNotKilled(await TestWrapper.connect(newIdentity('yours')));
    await isKilledBy(await TestWrapper.connect(newIdentity('mine-1')), brake);
    await end(brake.id, token);
  });

  test('sees the brakes that may concern its jobs, and ends those that concern no others', async () => {
    const token = await limited('mine-*');
    const [ofAll, own, ofOthers] = [
      await setBrake({ kill: false, machines: 'nowhere' }),
      await setBrake({ kill: false, jobs: 'mine-1' }),
      await setBrake({ kill: false, jobs: 'yours-*' }),
    ].map(({ brake }) => brake);
    expect((await listed(token)).map(({ id }) => id)).toEqual([ofAll?.id, own?.id]);
    expect(await refusal(end(ofOthers?.id ?? '', token))).toBe('404 unknown_brake');
    expect(await refusal(end(ofAll?.id ?? '', token))).toBe('403 forbidden');
    expect((await end(own?.id ?? '', token)).status).toBe(204);
    expect(await refusal(end(own?.id ?? '', token))).toBe('404 unknown_brake');
    for (const brake of [ofAll, ofOthers]) await end(brake?.id ?? '');
  });
});
