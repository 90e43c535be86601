/** What goes on while D1 is full: everything but the lists. */
import { runDurableObjectAlarm } from 'cloudflare:test';
import { afterEach, describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { sweep } from '../src/sweep.ts';
import { getKill, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { full, indexed, indexedState, isRefusedByFullD1, withD1 } from './support/d1.ts';
import { env } from './support/env.ts';
import { index, indexedRun } from './support/indexed-runs.ts';
import { disconnected, isOutboxEmpty, jobObject, run } from './support/objects.ts';
import { EXITED, newIdentity, TestWrapper } from './support/wrapper.ts';

const DISCONNECT_MS = 30_000;
const settings: { D1_MAX_BYTES: string } = env;
const { D1_MAX_BYTES } = env;

afterEach(() => {
  settings.D1_MAX_BYTES = D1_MAX_BYTES;
});

/** @param what gets how many calls were refused */
async function withFullD1(what: (refused: () => number) => Promise<void>): Promise<void> {
  let refused = 0;
  await withD1(
    async (call, statements) => {
      if (isRefusedByFullD1(statements)) refused += 1;
      return full(call, statements);
    },
    () => what(() => refused),
  );
}

describe('while D1 is full', () => {
  useFakeDate();

  test('a run ends, its outbox keeps that without trying all the time, and D1 has it once there is room', async () => {
    const who = newIdentity('full-end');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    await withFullD1(async (refused) => {
      await wrapper.completed({ ...EXITED, final_offset: 0 });
      // A commit that was under way may have been refused as well.
      await waitFor('the first try', () => refused() > 0);
      expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded' });
      const before = refused();
      await runDurableObjectAlarm(jobObject(who.job));
      expect(refused()).toBe(before);
      await pass(who.job, 10_001);
      await waitFor('the second try', () => refused() > before);
      expect(await isOutboxEmpty(who.job)).toBe(false);
    });
    expect(await indexedState(who.run)).toBe('running');
    await pass(who.job, 10_001);
    await waitFor('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
  });

  test('a kill reaches its run and settles, and D1 has it once there is room', async () => {
    const who = newIdentity('full-kill');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    let id = '';
    await withFullD1(async () => {
      ({ id } = await postKill(who.job));
      expect((await wrapper.kill()).kill).toBe(id);
      wrapper.killing(id, 'gone');
      await wrapper.completed();
      expect(await jobObject(who.job).kill(id)).toMatchObject({ state: 'settled' });
    });
    await pass(who.job, 10_001);
    await waitFor('D1 to have the kill', async () => (await getKill(id))?.state === 'settled');
    const audited = await env.DB.prepare("SELECT count(*) AS n FROM audit WHERE action = 'kill' AND subject = ?")
      .bind(who.job)
      .first('n');
    expect(audited).toBe(1);
  });

  test('a run that stays away is declared lost, as ever', async () => {
    const who = newIdentity('full-lost');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    await withFullD1(async (refused) => {
      wrapper.close();
      await disconnected(who);
      await waitFor('D1 to refuse that', () => refused() > 0);
      await pass(who.job, DISCONNECT_MS + 1);
      expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
    });
  });

  test('the sweep makes room, though nothing else of it can be stored', async () => {
    await index(Array.from({ length: 10 }, (_, nth) => indexedRun(Date.now() - nth * 60_000, 1_000)));
    settings.D1_MAX_BYTES = '1';
    await withD1(full, async () => {
      await expect(sweep(env)).rejects.toThrow('Exceeded maximum DB size');
    });
    const left = await env.DB.prepare('SELECT count(*) AS n FROM runs WHERE final = 1').first('n');
    expect(left).toBe(0);
  });
});
