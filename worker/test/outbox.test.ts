import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { pass, useFakeDate } from './support/clock.ts';
import { indexedState, without } from './support/d1.ts';
import { env } from './support/env.ts';
import { jobObject, restart, run } from './support/objects.ts';
import { until } from './support/until.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

function pending(job: string): Promise<number> {
  return runInDurableObject(
    jobObject(job),
    (_object, state) => state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM outbox').one().n,
  );
}

describe('the outbox', () => {
  useFakeDate();

  test('empties itself once D1 has everything', async () => {
    const who = newIdentity('outbox');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    await until('D1 to know the end', async () => (await indexedState(who.run)) === 'succeeded');
    await until('an empty outbox', async () => (await pending(who.job)) === 0);
  });

  test('keeps what D1 did not take, through a restart, and sends the latest state by alarm', async () => {
    const who = newIdentity('outbox-retry');
    await without(['runs'], async () => {
      const wrapper = await TestWrapper.connect(who);
      // D1 is away, and the wrapper is served all the same.
      await wrapper.completed({ exit_code: 3, command_exit_code: 3, signal: null, reason: 'exited' });
      expect(await run(who.job, who.run)).toMatchObject({ state: 'failed' });
      expect(await pending(who.job)).toBe(1);
      await restart(who.job);
    });
    expect(await indexedState(who.run)).toBeUndefined();
    await pass(who.job, 5_001);
    await until('D1 to know the end', async () => (await indexedState(who.run)) === 'failed');
  });

  test('never lets an older state overwrite a newer one', async () => {
    const who = newIdentity('outbox-order');
    await TestWrapper.connect(who);
    await until('D1 to know the run', () => indexedState(who.run));
    await env.DB.prepare("UPDATE runs SET seq = 1000, state = 'newer' WHERE id = ?").bind(who.run).run();
    await restart(who.job);
    expect(await run(who.job, who.run)).toMatchObject({ connected: false });
    await until('an empty outbox', async () => (await pending(who.job)) === 0);
    expect(await indexedState(who.run)).toBe('newer');
  });
});
