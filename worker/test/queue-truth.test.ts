/** One right outcome each: the lines of the table of kills in docs/architecture.md that no other test has the name of. */
import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { sweep } from '../src/sweep.ts';
import { getKill, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { indexed, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { eventTypes, jobObject, run, unreached } from './support/objects.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

/** Of the next batch D1 writes everything down, and its answer is lost. */
function loseNextAnswer(): void {
  const database = Object.getPrototypeOf(env.DB) as D1Database;
  const { batch } = database;
  database.batch = async function (this: D1Database, statements: D1PreparedStatement[]) {
    database.batch = batch;
    await batch.call(this, statements);
    throw new Error('the answer of D1 was lost');
  } as typeof batch;
}

describe('a kill while D1 fails', () => {
  useFakeDate();

  test('between the writing and the answer is found again by its key, and delivered once', async () => {
    const who = newIdentity('truth-between');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const key = { 'Idempotency-Key': 'between' };
    loseNextAnswer();
    // The object has taken it meanwhile.
    const first = await postKill(who.job, {}, key);
    const again = await postKill(who.job, {}, key);
    expect(again.id).toBe(first.id);
    await sweep(env);
    expect((await wrapper.kill()).kill).toBe(again.id);
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
    const { results } = await env.DB.prepare('SELECT 1 FROM kills WHERE job = ?').bind(who.job).all();
    expect(results).toHaveLength(1);
  });

  test('after the object took it is carried out, and D1 hears of it when it is back', async () => {
    const who = newIdentity('truth-after');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const { id } = await postKill(who.job);
    await without(['runs'], async () => {
      wrapper.killing(id, 'gone');
      await wrapper.completed();
      expect(await jobObject(who.job).kill(id)).toMatchObject({ state: 'settled' });
    });
    await pass(who.job, 5_001);
    await waitFor('D1 to know', async () => {
      const row = await env.DB.prepare("SELECT resource ->> 'state' AS state FROM kills WHERE id = ?")
        .bind(id)
        .first<{ state: string }>();
      return row?.state === 'settled';
    });
  });
});

describe('a kill while its object is being evicted', () => {
  useFakeDate();

  test.each([
    ['before what it took was durable', false],
    ['after that', true],
  ])('%s reaches the wrapper when it is back', async (_when, isDurable) => {
    const who = newIdentity(`truth-evicted-${isDurable}`);
    await TestWrapper.connect(who);
    await indexed(who.run);
    // The object is not reached, so that the kill is in the queue alone.
    const queued = await unreached(who.job, () => postKill(who.job));
    const aborted = runInDurableObject(jobObject(who.job), async (object, state) => {
      object.acceptKills([queued]);
      if (isDurable) await state.storage.sync();
      state.abort('evicted by the test');
    });
    // The call dies with the object.
    await aborted.catch(() => {});
    const back = await TestWrapper.connect(who, { age_ms: 60_000 });
    expect((await back.kill()).kill).toBe(queued.id);
    await back.settled();
    expect(back.of('kill')).toHaveLength(1);
    back.killing(queued.id, 'gone');
    await back.completed();
    expect(await getKill(queued.id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
  });
});

describe('a kill that races a completion', () => {
  test('and comes first ends the run as killed, though the kill had an exit code of its own', async () => {
    const who = newIdentity('truth-kill-first');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    wrapper.killing(id, 'term');
    await wrapper.completed({ command_exit_code: 0, signal: null });
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killed', command_exit_code: 0 });
  });

  test('and comes second finds nobody: the run keeps its end', async () => {
    const who = newIdentity('truth-completion-first');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed(EXITED);
    await indexed(who.run);
    expect(await postKill(who.job)).toMatchObject({ state: 'queued', targets: [] });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded' });
    expect(await eventTypes(who.job, who.run)).not.toContain('kill_requested');
  });

  test('in the same moment leaves the run its own end, whichever comes first', async () => {
    const who = newIdentity('truth-same-moment');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    const [{ id }] = await Promise.all([postKill(who.job, { run: who.run }), wrapper.completed(EXITED)]);
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'refused', exit_code: 0 }] });
  });
});

describe('a command that is offered again', () => {
  test('is sent once, whether it comes from the queue or by the call', async () => {
    const who = newIdentity('truth-offered');
    const wrapper = await TestWrapper.connect(who);
    const queued = await postKill(who.job);
    await jobObject(who.job).acceptKills([queued]);
    await env.DB.prepare('UPDATE kills SET accepted = 0 WHERE id = ?').bind(queued.id).run();
    await sweep(env);
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
  });

  test('only after it has expired reaches nobody, and is expired', async () => {
    const who = newIdentity('truth-late');
    const wrapper = await TestWrapper.connect(who);
    const template = await postKill(who.job, { instance: 'nobody' });
    const past = new Date(Date.now() - 1).toISOString();
    const late = { ...template, id: template.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')) };
    const [taken] = await jobObject(who.job).acceptKills([{ ...late, instance: null, expires_at: past }]);
    expect(taken).toMatchObject({ state: 'expired', targets: [] });
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
  });
});

describe('a wrapper that floods', () => {
  test('and waits for no ack holds up no kill of another run', async () => {
    const [flooder, other] = [newIdentity('truth-flood'), newIdentity('truth-flood')];
    const flooding = await TestWrapper.connect(flooder);
    const wrapper = await TestWrapper.connect(other);
    const chunk = 'x'.repeat(200_000);
    const count = 100;
    for (let index = 0; index < count; index++) flooding.print(index * chunk.length, chunk);
    await postKill(other.job, { run: other.run });
    await wrapper.kill();
    const acked = Math.max(0, ...flooding.of('ack').map((ack) => (ack.of === 'output' ? ack.offset : 0)));
    expect(acked).toBeLessThan(count * chunk.length);
    await flooding.acked(count * chunk.length);
    expect(flooding.closed).toBeNull();
  });
});
