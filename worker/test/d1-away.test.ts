/** What the control plane says and does while D1 is away: it hangs, or its calls are rejected. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { BatchLoader } from '../durable/d1-gateway/batch-loader.ts';
import { withBoundD1 } from '../shared/d1/bound-d1.ts';
import { asD1Error, d1Failure } from '../shared/d1/failure.ts';
import { call, newToken, refusal, request } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { hanging, indexed, rejecting, withD1, withoutPatience } from './support/d1.ts';
import { env } from './support/env.ts';
import { isOutboxEmpty } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const unavailable = { status: 503, code: 'unavailable', retryAfter: '5' };

async function answerOf(response: Response | Promise<Response>) {
  const answered = await response;
  const { code } = await answered.json<{ code?: string }>();
  return { status: answered.status, code, retryAfter: answered.headers.get('Retry-After') };
}

describe('a call to D1', () => {
  test('that is rejected is answered with 503, and when to try again', async () => {
    const { secret } = await newToken({ name: 'away', scopes: ['read'] });
    await withD1(rejecting, async () => {
      expect(await answerOf(call('GET', '/jobs', { token: secret }))).toEqual(unavailable);
      expect(await answerOf(call('GET', '/jobs'))).toEqual(unavailable);
    });
  });

  test('that hangs is given up, and answered the same', async () => {
    await withD1(hanging, () =>
      withoutPatience(async () => expect(await answerOf(call('GET', '/jobs'))).toEqual(unavailable)),
    );
  });

  test.each([
    ['D1_ERROR: UNIQUE constraint failed: runs.id: SQLITE_CONSTRAINT', 'rejected'],
    ['D1_ERROR: string or blob too big: SQLITE_TOOBIG', 'rejected'],
    ['D1_ERROR: database or disk is full: SQLITE_FULL', 'full'],
    ['D1_ERROR: Exceeded maximum DB size', 'full'],
    ['D1_ERROR: no such table: runs: SQLITE_ERROR', 'schema'],
    ['D1_ERROR: D1 DB is overloaded. Requests queued for too long.', 'unavailable'],
    ['Network connection lost.', 'unavailable'],
  ])('that fails with "%s" is told as %s', (message, failure) => {
    expect(d1Failure(asD1Error(new Error(message)))).toBe(failure);
  });

  test('of a statement or a batch is bounded', async () => {
    const { DB } = withBoundD1(env);
    const statement = DB.prepare('SELECT ?1 AS one').bind(1);
    expect(await statement.first('one')).toBe(1);
    expect(await statement.raw()).toEqual([[1]]);
    const [result] = await DB.batch([statement]);
    expect(result?.results).toEqual([{ one: 1 }]);
    await withD1(rejecting, async () => {
      for (const failing of [
        statement.first(),
        statement.run(),
        statement.all(),
        statement.raw(),
        DB.batch([statement]),
      ]) {
        await expect(failing).rejects.toThrow(/^D1_ERROR: Network/);
      }
    });
  });
});

test('health is asked of D1 only where that is wanted', async () => {
  await request('/healthz');
  await withD1(rejecting, async () => {
    expect((await request('/healthz')).status).toBe(200);
    expect(await answerOf(request('/healthz?deep'))).toEqual(unavailable);
  });
  expect((await request('/healthz?deep')).status).toBe(200);
  expect(await refusal(request('/healthz?deep=2'))).toBe('400 bad_request');
});

test('a gauge says that D1 is away', async () => {
  const scrape = async () => {
    const headers = { Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}` };
    return (await request('/metrics', { headers })).text();
  };
  expect(await scrape()).toContain('leash_d1_up 1\n');
  await withD1(rejecting, async () => expect(await scrape()).toContain('leash_d1_up 0\n'));
});

describe('a query for many', () => {
  function loaderOf(error: Error) {
    let queries = 0;
    const loader = new BatchLoader<number, number>({
      name: 'the test',
      maxWeight: 100,
      weigh: () => 1,
      loadBatch: () => {
        queries += 1;
        return Promise.reject(error);
      },
    });
    return {
      /** How many queries a hundred that wait cost. */
      queriesOfHundred: async () => {
        await Promise.allSettled([loader.load(0), ...Array.from({ length: 100 }, (_, index) => loader.load(index))]);
        return queries;
      },
    };
  }

  test('is halved if D1 refuses one of them, and not if D1 is away, however that shows', async () => {
    const refused = asD1Error(new Error('D1_ERROR: string or blob too big: SQLITE_TOOBIG'));
    expect(await loaderOf(refused).queriesOfHundred()).toBe(1 + 199);
    for (const message of ['Network connection lost.', 'D1_ERROR: disk I/O error: SQLITE_IOERR']) {
      expect(await loaderOf(asD1Error(new Error(message))).queriesOfHundred()).toBe(2);
    }
  });
});

describe('the dashboards', () => {
  useFakeDate();

  test('that could not be told of a change are made to fetch it, and D1 gets no change twice', async () => {
    const who = newIdentity('away-pages');
    const viewer = await TestViewer.watch('/watch');
    const fleet = env.FLEET.getByName('fleet');
    await runInDurableObject(fleet, (object) => {
      object.publish = () => {
        throw new Error('down');
      };
    });
    await TestWrapper.connect(who);
    await indexed(who.run);
    await waitFor('the outbox to be empty', () => isOutboxEmpty(who.job));
    await runInDurableObject(fleet, (object) => {
      Reflect.deleteProperty(object, 'publish');
    });
    const gateway = env.D1_GATEWAY.getByName('changes');
    await waitFor('the gateway to have noticed', () => runDurableObjectAlarm(gateway));
    expect((await viewer.wasClosed()).code).toBe(4004);
  });
});
