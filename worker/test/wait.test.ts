import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { call, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { hibernate, jobObject, restart, unreached } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

/** How many calls wait at the object for this kill. */
function waiters(job: string, id: string): Promise<number> {
  return runInDurableObject(
    jobObject(job),
    (_object, state) => state.getWebSockets(`wait:${id}`).filter(({ readyState }) => readyState === 1).length,
  );
}

function waiting(job: string, id: string): Promise<boolean> {
  return waitFor('a call that waits', async () => (await waiters(job, id)) > 0);
}

async function settle(wrapper: TestWrapper, id: string): Promise<void> {
  wrapper.killing(id, 'term');
  wrapper.killing(id, 'gone');
  await wrapper.completed();
}

const settled = (id: string) => ({ kill: { id, state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] } });

describe('a call that waits for a kill', () => {
  test('lets the object hibernate meanwhile, and still returns', async () => {
    const who = newIdentity('wait-asleep');
    const wrapper = await TestWrapper.connect(who);
    const answer = call('POST', `/jobs/${who.job}/kill?wait=30`, { body: {} });
    const { kill: id } = await wrapper.kill();
    await waiting(who.job, id);
    await hibernate(who.job);
    await settle(wrapper, id);
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject(settled(id));
  });

  test('asks again when the object is evicted', async () => {
    const who = newIdentity('wait-restart');
    const wrapper = await TestWrapper.connect(who);
    const answer = call('POST', `/jobs/${who.job}/kill?wait=30`, { body: {} });
    const { kill: id } = await wrapper.kill();
    await waiting(who.job, id);
    await restart(who.job);
    await waiting(who.job, id);
    await settle(await TestWrapper.connect(who), id);
    expect(await (await answer).json()).toMatchObject(settled(id));
  });

  test('returns at once if the kill is already settled', async () => {
    const who = newIdentity('wait-over');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await settle(wrapper, id);
    const response = await call('GET', `/kills/${id}?wait=30`);
    expect(await response.json()).toMatchObject(settled(id));
  });

  test('for a kill that its object does not have yet returns at its end', async () => {
    const who = newIdentity('wait-queued');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const queued = await unreached(who.job, () => postKill(who.job));
    expect(queued).toMatchObject({ state: 'queued', seq: 0 });
    const answer = call('GET', `/kills/${queued.id}?wait=30`);
    await waiting(who.job, queued.id);
    await jobObject(who.job).reconcile();
    expect((await wrapper.kill()).kill).toBe(queued.id);
    await settle(wrapper, queued.id);
    expect(await (await answer).json()).toMatchObject(settled(queued.id));
  });

  test('leaves nothing behind at the object when its time is up', async () => {
    const who = newIdentity('wait-gone');
    await TestWrapper.connect(who);
    const response = await call('POST', `/jobs/${who.job}/kill?wait=1`, { body: {} });
    expect(response.status).toBe(202);
    const { kill } = await response.json<{ kill: { id: string; targets: { state: string }[] } }>();
    expect(kill.targets[0]?.state).toBe('sent');
    await waitFor('the end of the wait', async () => (await waiters(who.job, kill.id)) === 0);
  });

  test('is one of many: each of them returns', async () => {
    const who = newIdentity('wait-many');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    const answers = [1, 2, 3].map(() => call('GET', `/kills/${id}?wait=30`));
    await waitFor('all of them', async () => (await waiters(who.job, id)) === 3);
    await settle(wrapper, id);
    for (const answer of answers) expect(await (await answer).json()).toMatchObject(settled(id));
  });
});

describe('a call that waits for a kill without matching runs', () => {
  useFakeDate();

  test('returns when the kill has expired', async () => {
    const who = newIdentity('wait-expires');
    const { id } = await postKill(who.job, { run: who.run });
    const answer = call('GET', `/kills/${id}?wait=30`);
    await waiting(who.job, id);
    await pass(who.job, 600_001);
    expect(await (await answer).json()).toMatchObject({ kill: { id, state: 'expired' } });
  });
});
