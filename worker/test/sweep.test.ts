import { runInDurableObject } from 'cloudflare:test';
import { expect, test, vi } from 'vitest';
import { WAIT } from '#testing/patience';
import { closeStaleSockets } from '../src/revocation.ts';
import { sweep } from '../src/sweep.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { jobObject } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

async function checkedAt(job: string): Promise<number> {
  const row = await env.DB.prepare('SELECT checked_at AS "at" FROM jobs WHERE name = ?')
    .bind(job)
    .first<{ at: number }>();
  return row?.at ?? Number.NaN;
}

test('the next sweep retries a job that could not be reached, after those that have waited longer', async () => {
  const [broken, healthy] = [newIdentity('sweep-unreached'), newIdentity('sweep-reached')];
  for (const who of [broken, healthy]) {
    await TestWrapper.connect(who);
    await indexed(who.run);
  }
  await env.DB.prepare('UPDATE jobs SET checked_at = 1').run();
  await runInDurableObject(jobObject(broken.job), (object) => {
    object.reconcile = () => Promise.reject(new Error('down'));
  });
  const startedAt = Date.now();
  await sweep(env);
  expect(await checkedAt(healthy.job)).toBeGreaterThanOrEqual(startedAt);
  const failedAt = await checkedAt(broken.job);
  expect(failedAt).toBeGreaterThan(1);
  expect(failedAt).toBeLessThan(startedAt);

  await runInDurableObject(jobObject(broken.job), (object) => {
    Reflect.deleteProperty(object, 'reconcile');
  });
  await sweep(env);
  expect(await checkedAt(broken.job)).toBeGreaterThanOrEqual(startedAt);
});

test('an object that hangs when its sockets are to be closed does not delay the sweep forever', async () => {
  const rows = "INSERT INTO open_sockets (token, session, object, stale) VALUES ('mute', '', 'sweep-mute', 1)";
  await env.DB.exec(rows);
  vi.useFakeTimers();
  try {
    let called = false;
    const checkCredentials = () => {
      called = true;
      return new Promise<void>(() => {});
    };
    const mute = { ...env, JOBS: { getByName: () => ({ checkCredentials }) } as unknown as typeof env.JOBS };
    const swept = closeStaleSockets(mute, 10);
    await vi.waitUntil(() => called, WAIT);
    await vi.advanceTimersByTimeAsync(25_000);
    await swept;
  } finally {
    vi.useRealTimers();
    await env.DB.exec('DELETE FROM open_sockets');
  }
});
