import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import type { Run } from '#protocol/api';
import { appliedKill } from '#testing/wrapper-messages';
import { call, postKill } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { eventTypes, jobObject, run } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const HOST = { user: 'backup', is_root: true, os: 'Debian GNU/Linux 12, Linux 6.1.0 x86_64', node: 'v24.1.0' };

function eventsOf(who: { job: string; run: string }) {
  return runInDurableObject(jobObject(who.job), (object) => object.events(who.run, 0, 1000));
}

describe('a run whose wrapper was killed', () => {
  test('continues with the successor, which an event reports, once', async () => {
    const who = newIdentity('adopted');
    const first = await TestWrapper.connect(who, { version: '0.1.0', host: HOST });
    first.print(0, 'hello');
    await first.acked(5);
    const host = { ...HOST, node: 'v26.0.0' };
    const successor = await TestWrapper.connect(who, { successor: 1, version: '0.2.0', host });
    expect((await first.wasClosed()).code).toBe(4001);
    const adopted = await run(who.job, who.run);
    expect(adopted).toMatchObject({ state: 'running', connected: true, successor: 1, wrapper_version: '0.2.0' });
    expect(adopted?.host?.node).toBe('v26.0.0');
    expect((await eventsOf(who)).at(-1)).toMatchObject({ type: 'adopted', successor: 1 });
    successor.print(5, ' world');
    await successor.acked(11);
    // The same wrapper again, and then the one after it.
    await TestWrapper.connect(who, { successor: 1 });
    const second = await TestWrapper.connect(who, { successor: 2 });
    expect(await eventTypes(who.job, who.run)).toEqual(
      'started connected connected adopted connected connected adopted'.split(' '),
    );
    await second.completed({ exit_code: 255, command_exit_code: null, signal: null, reason: 'exit_unknown' });
    expect(await run(who.job, who.run)).toMatchObject({
      state: 'errored',
      final: true,
      exit_code: 255,
      command_exit_code: null,
      reason: 'exit_unknown',
      successor: 2,
    });
  });

  test('is adopted also when its first wrapper was never heard of', async () => {
    const who = newIdentity('adopted-first');
    await TestWrapper.connect(who, { successor: 1 });
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected', 'adopted']);
  });

  test('is not adopted by what only uploads', async () => {
    const who = newIdentity('adopted-not');
    await TestWrapper.connect(who, { successor: 1 });
    await TestWrapper.connect(who, { successor: 2, phase: 'abandoned' });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', reason: 'wrapper_died', successor: 1 });
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected', 'adopted', 'connected', 'ended']);
  });

  test('gets a kill again that the wrapper before had begun and the successor does not know', async () => {
    const who = newIdentity('adopted-kill');
    const first = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { run: who.run });
    await first.kill();
    first.killing(id, 'term');
    await first.settled();
    const successor = await TestWrapper.connect(who, { successor: 1 });
    expect((await successor.kill()).kill).toBe(id);
    successor.killing(id, 'term');
    successor.killing(id, 'gone');
    await successor.completed();
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killed', exit_code: 143 });
    // One that lists it gets it no more.
    const other = newIdentity('adopted-knows');
    const before = await TestWrapper.connect(other);
    const order = await postKill(other.job, { run: other.run });
    await before.kill();
    before.killing(order.id, 'term');
    await before.settled();
    const knows = await TestWrapper.connect(other, {
      successor: 1,
      applied_kills: [appliedKill(order.id, 'term')],
    });
    await knows.settled();
    expect(knows.of('kill')).toEqual([]);
  });
});

describe('the facts of a run', () => {
  async function apiRun(id: string): Promise<Run> {
    await indexed(id);
    const response = await call('GET', `/runs/${id}`);
    return (await response.json<{ run: Run }>()).run;
  }

  test('are its user and its host', async () => {
    const who = newIdentity('facts');
    await TestWrapper.connect(who, { host: HOST });
    const { user, ...host } = HOST;
    expect(await apiRun(who.run)).toMatchObject({ user, host, successor: 0, left_running: [] });
  });

  test('are unknown for a wrapper that does not report them', async () => {
    const who = newIdentity('facts-old');
    await TestWrapper.connect(who);
    expect(await apiRun(who.run)).toMatchObject({ user: null, host: null, successor: 0, left_running: [] });
  });
});
