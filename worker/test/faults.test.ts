import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { appliedKill } from '#testing/wrapper-messages';
import { sweep } from '../src/sweep.ts';
import { call, getKill, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';
import { disconnected, eventTypes, jobObject, run, withFault, withoutMethods } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('a fault of ours', () => {
  useFakeDate();

  test('is reported to the wrapper, and the link dropped: what it repeats is taken', async () => {
    const who = newIdentity('fault-told');
    const wrapper = await TestWrapper.connect(who);
    await withFault(who.job, 'INSERT ON output', async () => {
      wrapper.print(0, 'x');
      expect(await wrapper.error('internal')).toMatchObject({ retry: 'later' });
      expect((await wrapper.wasClosed()).code).toBe(1011);
    });
    const back = await TestWrapper.connect(who);
    back.print(0, 'x');
    await back.acked(1);
  });

  test('in the middle of a completion leaves nothing half done', async () => {
    const who = newIdentity('fault-complete');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    wrapper.killing(id, 'term');
    await wrapper.settled();
    await withFault(who.job, 'UPDATE ON targets', async () => {
      wrapper.complete();
      await wrapper.error('internal');
    });
    const back = await TestWrapper.connect(who, { phase: 'ended' });
    await back.completed();
    expect(await getKill(id)).toMatchObject({ state: 'settled' });
  });

  test('while a kill is taken leaves nothing half done: it was sent, and is sent again once it can be stored', async () => {
    const who = newIdentity('fault-accept');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.settled();
    let id = '';
    await withFault(who.job, 'INSERT ON targets', async () => {
      const queued = await postKill(who.job);
      expect(queued).toMatchObject({ state: 'queued', targets: [] });
      id = queued.id;
    });
    await sweep(env);
    await waitFor('both messages', () => wrapper.of('kill').length === 2);
    expect(new Set(wrapper.of('kill').map(({ kill }) => kill))).toEqual(new Set([id]));
    expect(await getKill(id)).toMatchObject({ targets: [{ state: 'sent' }] });
  });

  test('after a kill was sent leaves it to the word of the wrapper that it was', async () => {
    const who = newIdentity('fault-sent');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    const { id } = await postKill(who.job);
    await withFault(who.job, 'UPDATE ON targets', async () => {
      const first = await TestWrapper.connect(who);
      expect((await first.kill()).kill).toBe(id);
      await first.error('internal');
    });
    expect(await getKill(id)).toMatchObject({ state: 'queued', targets: [{ state: 'pending' }] });
    const applied = appliedKill(id, 'term', { at_ms: 150 });
    await TestWrapper.connect(who, { applied_kills: [applied] });
    expect(await getKill(id)).toMatchObject({ state: 'delivered', targets: [{ state: 'term' }] });
  });

  test('at one deadline does not keep the others from being met, and that one is met later', async () => {
    const who = newIdentity('fault-deadline');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { instance: 'nobody' });
    await withFault(who.job, 'UPDATE ON kills', async () => {
      vi.setSystemTime(Date.now() + 600_001);
      await runDurableObjectAlarm(jobObject(who.job));
      await waitFor('the probe all the same', () => wrapper.of('probe').length === 1);
    });
    await pass(who.job, 5_001);
    expect(await jobObject(who.job).kill(id)).toMatchObject({ state: 'expired' });
  });

  test('of the network at a socket is a link that was cut', async () => {
    const who = newIdentity('fault-socket');
    await TestWrapper.connect(who);
    await runInDurableObject(jobObject(who.job), (object, state) => {
      for (const socket of state.getWebSockets()) object.webSocketError(socket, new Error('reset'));
    });
    await disconnected(who);
    expect(await eventTypes(who.job, who.run)).toContain('disconnected');
  });

  test('of the peer that closes with a code nobody may send is a link that was cut', async () => {
    const who = newIdentity('fault-close-code');
    await TestWrapper.connectHalfOpen(who);
    await runInDurableObject(jobObject(who.job), (object, state) => {
      for (const socket of state.getWebSockets()) object.webSocketClose(socket, 5000);
    });
    expect(await run(who.job, who.run)).toMatchObject({ connected: false });
  });
});

test('a call to an object whose older code lacks the method is refused for now', async () => {
  const who = newIdentity('fault-old-code');
  const wrapper = await TestWrapper.connect(who);
  await wrapper.settled();
  await withoutMethods(who.job, ['events'], async () => {
    const response = await call('GET', `/runs/${who.run}/events?job=${who.job}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('Retry-After')).toBe('5');
    expect(await response.json()).toMatchObject({
      code: 'unavailable',
      detail: expect.stringContaining('being updated'),
    });
  });
});
