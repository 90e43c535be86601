import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { findKill } from '../shared/d1/kills.ts';
import { postKill } from './support/api.ts';
import { pass, runTimers, useFakeDate } from './support/clock.ts';
import { indexedState, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { ObservedGateway } from './support/gateway.ts';
import { disconnected, isOutboxEmpty, jobObject, restart, run, unsentChanges } from './support/objects.ts';
import { useSettings } from './support/settings.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

/** Whether an object that is evicted now comes back within a minute. */
async function alarmIsSoon(_object: unknown, { storage }: DurableObjectState): Promise<boolean> {
  const alarm = await storage.getAlarm();
  return alarm !== null && alarm <= Date.now() + 60_000;
}

describe('the outbox', () => {
  useFakeDate();

  test('empties itself once D1 has everything', async () => {
    const who = newIdentity('outbox');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
    await waitFor('an empty outbox', () => isOutboxEmpty(who.job));
  });

  test('keeps what D1 did not take, through a restart, and sends the latest state by alarm', async () => {
    const who = newIdentity('outbox-retry');
    await without(['runs'], async () => {
      const wrapper = await TestWrapper.connect(who);
      // D1 is away, and the wrapper is served all the same.
      await wrapper.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited' });
      expect(await run(who.job, who.run)).toMatchObject({ state: 'failed' });
      expect(await unsentChanges(who.job)).toBe(1);
      await restart(who.job);
    });
    expect(await indexedState(who.run)).toBeUndefined();
    await pass(who.job, 5_001);
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'failed');
  });

  test('writes everything else to D1 when it refuses one change, and that one once it accepts it', async () => {
    const [refused, other] = [newIdentity('outbox-refused'), newIdentity('outbox-refused')];
    await env.DB.exec(
      `CREATE TRIGGER refusal BEFORE INSERT ON runs WHEN new.id = '${refused.run}' BEGIN SELECT RAISE(ABORT, 'no'); END`,
    );
    await TestWrapper.connect(refused);
    const wrapper = await TestWrapper.connect(other);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    await pass(other.job, 5_001);
    await waitFor('D1 to know the other', async () => (await indexedState(other.run)) === 'succeeded');
    await waitFor('one to be left', async () => (await unsentChanges(other.job)) === 1);
    await env.DB.exec('DROP TRIGGER refusal');
    await pass(other.job, 5_001);
    await waitFor('D1 to know it', () => indexedState(refused.run));
  });

  test('never sends more at once than one value of D1 holds, whatever the command lines are', async () => {
    const job = 'outbox-large';
    const gateway = await ObservedGateway.observe('changes', 'commit');
    gateway.hold();
    const runs = Array.from({ length: 100 }, () => newIdentity(job));
    for (const who of runs) await TestWrapper.connect(who, { command_line: '\u0001'.repeat(4096) });
    gateway.release();
    await waitFor('an empty outbox', () => isOutboxEmpty(job));
    const sizes = gateway.queries.flat().map((value) => String(value).length);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(sizes.filter((size) => size > 100_000).length).toBeLessThan(20);
  });

  test('never lets an older state overwrite a newer one', async () => {
    const who = newIdentity('outbox-order');
    await TestWrapper.connect(who);
    await waitFor('D1 to know the run', () => indexedState(who.run));
    await env.DB.prepare("UPDATE runs SET seq = 1000, state = 'newer' WHERE id = ?").bind(who.run).run();
    await restart(who.job);
    expect(await run(who.job, who.run)).toMatchObject({ connected: false });
    await waitFor('an empty outbox', () => isOutboxEmpty(who.job));
    expect(await indexedState(who.run)).toBe('newer');
  });

  test('never lets an older state of a kill overwrite a newer one', async () => {
    const who = newIdentity('outbox-kill');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await waitFor('an empty outbox', () => isOutboxEmpty(who.job));
    await env.DB.prepare("UPDATE kills SET seq = 1000, resource = json_set(resource, '$.reason', 'newer') WHERE id = ?")
      .bind(id)
      .run();
    await wrapper.completed();
    await waitFor('an empty outbox', () => isOutboxEmpty(who.job));
    const row = await env.DB.prepare('SELECT resource FROM kills WHERE id = ?').bind(id).first<{ resource: string }>();
    expect(JSON.parse(row?.resource ?? '{}')).toMatchObject({ reason: 'newer' });
  });

  test('sends what changes while D1 is being asked as well', async () => {
    const who = newIdentity('outbox-meanwhile');
    const wrapper = await TestWrapper.connect(who);
    wrapper.killing(null, 'term');
    wrapper.complete({ reason: 'timeout', exit_code: 124 });
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'timed_out');
  });

  test('retries D1 however often that did not answer', async () => {
    const who = newIdentity('outbox-again');
    await without(['runs'], async () => {
      const wrapper = await TestWrapper.connect(who);
      await wrapper.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited' });
      for (let attempt = 0; attempt < 3; attempt++) {
        await pass(who.job, 5_001);
        // Ends only when D1 has been asked.
        await jobObject(who.job).reconcile();
      }
    });
    await pass(who.job, 5_001);
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'failed');
  });

  test('is brought back by alarm when the object ends while D1 is being asked', async () => {
    const who = newIdentity('outbox-dies');
    await without(['runs'], async () => {
      const wrapper = await TestWrapper.connect(who);
      await wrapper.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited' });
      vi.setSystemTime(Date.now() + 5_001);
      const aborted = runInDurableObject(jobObject(who.job), async (object, state) => {
        object.alarm();
        await state.storage.sync();
        state.abort('ended by the test');
      });
      // The call dies with the object.
      await aborted.catch(() => {});
    });
    expect(await runInDurableObject(jobObject(who.job), alarmIsSoon)).toBe(true);
    await pass(who.job, 5_001);
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'failed');
  });

  test('sets the alarm that brings it back together with the note', async () => {
    const job = 'outbox-armed';
    const template = await postKill(job, { instance: 'nobody' });
    await waitFor('an empty outbox', () => isOutboxEmpty(job));
    const next = { ...template, id: template.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')) };
    const isSoon = await runInDurableObject(jobObject(job), (object, state) => {
      object.acceptKills([next]);
      return alarmIsSoon(object, state);
    });
    expect(isSoon).toBe(true);
  });
});

describe('a run that is sent to D1 a moment after its start', () => {
  useFakeDate();
  useSettings({ INDEX_DELAY_MS: '1000' });

  const commits = () => ObservedGateway.observe('changes', 'commit');

  test('is sent once if it ends before that', async () => {
    const gateway = await commits();
    const who = newIdentity('delay-ends');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
    expect(gateway.commitsOf(who.job)).toBe(1);
  });

  test('is sent as it is by then', async () => {
    const gateway = await commits();
    const who = newIdentity('delay-passes');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    expect(await unsentChanges(who.job)).toBe(1);
    await TestWrapper.connect(who);
    expect(gateway.commitsOf(who.job)).toBe(0);
    await runTimers(who.job, 1_000);
    await waitFor('D1 to know it', () => indexedState(who.run));
    expect(gateway.commitsOf(who.job)).toBe(1);
  });

  test('is sent with the next change that is sent at once', async () => {
    const who = newIdentity('delay-kill');
    await TestWrapper.connect(who);
    const over = newIdentity(who.job);
    await (await TestWrapper.connect(over)).completed();
    await waitFor('D1 to know the run', () => indexedState(who.run));
  });

  test('is sent once if it ends by a kill before that, with the kill as it settled', async () => {
    const gateway = await commits();
    const who = newIdentity('delay-killed');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { run: who.run });
    await wrapper.kill();
    wrapper.killing(id, 'term');
    wrapper.killing(id, 'gone');
    await wrapper.completed();
    await waitFor('D1 to know the end of both', async () => {
      const [state, kill] = await Promise.all([indexedState(who.run), findKill(env.DB, id)]);
      return state === 'killed' && kill?.state === 'settled';
    });
    expect(gateway.commitsOf(who.job)).toBe(1);
  });

  test('is sent as it is by then if a kill takes longer, with the kill', async () => {
    const who = newIdentity('delay-slow-kill');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { run: who.run });
    await wrapper.kill();
    wrapper.killing(id, 'term');
    await waitFor('the object to know it', async () => (await run(who.job, who.run))?.state === 'killing');
    await waitFor('D1 to have the kill', async () => (await findKill(env.DB, id))?.state === 'queued');
    await runTimers(who.job, 1_000);
    await waitFor('D1 to know both', async () => {
      const [state, kill] = await Promise.all([indexedState(who.run), findKill(env.DB, id)]);
      return state === 'killing' && kill?.state === 'delivered';
    });
  });

  test('is sent when the object comes back, if it ended before that', async () => {
    const who = newIdentity('delay-crash');
    await TestWrapper.connect(who);
    await restart(who.job);
    expect(await indexedState(who.run)).toBeUndefined();
    await pass(who.job, 60_001);
    await waitFor('D1 to know the run', () => indexedState(who.run));
  });

  test('is shown to whoever watches the job before that', async () => {
    const who = newIdentity('delay-watched');
    await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    expect((await viewer.next('run')).run.id).toBe(who.run);
    expect(await indexedState(who.run)).toBeUndefined();
  });
});
