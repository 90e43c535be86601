import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { sweep } from '../src/sweep.ts';
import { call, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { indexed, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { deadlines, inMemory, jobObject, restart, unreached } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('the queue in D1', () => {
  useFakeDate();

  async function accepted(id: string): Promise<boolean> {
    const row = await env.DB.prepare('SELECT accepted FROM kills WHERE id = ?').bind(id).first<{ accepted: number }>();
    return row?.accepted === 1;
  }

  /** What calls leave behind that wrote a kill down and never reached the object. */
  async function leaveManyInQueue(job: string, count: number): Promise<string[]> {
    const template = await postKill(job, { instance: 'nobody' });
    const ids: string[] = [];
    for (let index = 0; index < count; index++) {
      const id = template.id.slice(0, -3) + String(index).padStart(3, '0');
      const queued = { ...template, id, instance: null, state: 'queued', targets: [] };
      await env.DB.prepare('INSERT INTO kills (id, job, requested_at, resource) VALUES (?, ?, ?, ?)')
        .bind(id, job, Date.parse(template.requested_at), JSON.stringify(queued))
        .run();
      ids.push(id);
    }
    return ids;
  }

  async function leaveInQueue(job: string): Promise<string> {
    const [id] = await leaveManyInQueue(job, 1);
    if (id === undefined) throw new Error('nothing was left');
    return id;
  }

  test('is drained by the sweep: what a failed call left behind is delivered', async () => {
    const who = newIdentity('queue-sweep');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.settled();
    const id = await leaveInQueue(who.job);
    await sweep(env);
    expect((await wrapper.kill()).kill).toBe(id);
    await waitFor('D1 to know', () => accepted(id));
  });

  test('is drained when a wrapper connects', async () => {
    const who = newIdentity('queue-connect');
    const { id: first } = await postKill(who.job, { run: who.run });
    await restart(who.job);
    const id = await leaveInQueue(who.job);
    await restart(who.job);
    const wrapper = await TestWrapper.connect(who, { age_ms: 60_000 });
    await waitFor('both kills', () => wrapper.of('kill').length === 2);
    expect(wrapper.of('kill').map((message) => message.kill)).toEqual([first, id]);
    expect(await jobObject(who.job).kill(id)).toMatchObject({ targets: [{ state: 'sent' }] });
  });

  test('is drained whole, however much is in it', async () => {
    const who = newIdentity('queue-many');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.settled();
    const ids = await leaveManyInQueue(who.job, 150);
    await jobObject(who.job).reconcile();
    await waitFor('every kill', () => wrapper.of('kill').length === ids.length);
  });

  test('is not asked again for each wrapper that connects: the next look is taken by alarm', async () => {
    const who = newIdentity('queue-once');
    // When it asked last is in its memory.
    await inMemory(who.job, async () => {
      await TestWrapper.connect(who);
      const id = await leaveInQueue(who.job);
      const wrapper = await TestWrapper.connect(newIdentity(who.job), { age_ms: 60_000 });
      await waitFor('the deadline of the next look', async () => (await deadlines(who.job, 'drain')) === 1);
      await wrapper.settled();
      expect(wrapper.of('kill')).toEqual([]);
      await pass(who.job, 10_001);
      expect((await wrapper.kill()).kill).toBe(id);
    });
  });

  test('is asked again when D1 was away', async () => {
    const who = newIdentity('queue-away');
    const id = await leaveInQueue(who.job);
    let wrapper: TestWrapper | undefined;
    await without(['kills'], async () => {
      wrapper = await TestWrapper.connect(who, { age_ms: 60_000 });
      await waitFor('the deadline of the next look', async () => (await deadlines(who.job, 'drain')) === 1);
    });
    await pass(who.job, 10_001);
    expect((await wrapper?.kill())?.kill).toBe(id);
  });

  test('takes a kill that cannot be pushed to the object: it is accepted all the same, and delivered by the sweep', async () => {
    const who = newIdentity('queue-push');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const response = await unreached(who.job, () => call('POST', `/jobs/${who.job}/kill`, { body: {} }));
    expect(response.status).toBe(202);
    const { kill } = await response.json<{ kill: { id: string; state: string } }>();
    expect(kill.state).toBe('queued');
    await sweep(env);
    expect((await wrapper.kill()).kill).toBe(kill.id);
  });

  test('is sent again that a kill was accepted, when the first message was lost', async () => {
    const who = newIdentity('queue-retold');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.completed();
    await waitFor('D1 to know', () => accepted(id));
    await env.DB.prepare(
      "UPDATE kills SET accepted = 0, seq = 0, resource = json_set(resource, '$.state', 'queued') WHERE id = ?",
    )
      .bind(id)
      .run();
    await sweep(env);
    await waitFor('D1 to know again', () => accepted(id));
  });
});

describe('the sweep', () => {
  test('is not stopped by an object that fails', async () => {
    await env.DB.prepare("INSERT INTO sessions (hash, token_hash, expires_at) VALUES ('old', 'x', 1)").run();
    const broken = newIdentity('sweep-broken');
    const { id } = await postKill(broken.job, { run: broken.run });
    await env.DB.prepare('UPDATE kills SET accepted = 0 WHERE id = ?').bind(id).run();
    await runInDurableObject(jobObject(broken.job), (object) => {
      object.reconcile = () => Promise.reject(new Error('down'));
    });
    await sweep(env);
    // Forgetting old sessions is what comes last.
    expect(await env.DB.prepare("SELECT 1 FROM sessions WHERE hash = 'old'").first()).toBeNull();
  });
});
