import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ViewerPresence } from '../durable/d1-gateway/viewer-presence.ts';
import { FleetObject } from '../durable/fleet/fleet-object.ts';
import { refusal, request } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { ObservedGateway } from './support/gateway.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const gateway = () => env.D1_GATEWAY.getByName('changes');

/** A run starts, and the gateway is done with it. @returns how often the fleet object was called for that */
async function publishedFor(job: string): Promise<number> {
  const calls = vi.spyOn(FleetObject.prototype, 'publish').mockClear();
  const who = newIdentity(job);
  await TestWrapper.connect(who);
  await indexed(who.run);
  // Publishing begins before the gateway answers, and this call comes after that answer.
  await runInDurableObject(gateway(), () => {});
  return calls.mock.calls.length;
}

async function watchNobody(job: string): Promise<void> {
  await waitFor('the gateway to know that nobody watches', async () => (await publishedFor(job)) === 0);
}

describe('while no dashboard is open', () => {
  useFakeDate();
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('changes are not published, also after the gateway has slept', async () => {
    await watchNobody('presence-none');
    await evictDurableObject(gateway());
    expect(await publishedFor('presence-none')).toBe(0);
  });

  test('the first that opens gets every change from then on', async () => {
    await watchNobody('presence-first');
    const viewer = await TestViewer.watch('/watch');
    const who = newIdentity('presence-first');
    await TestWrapper.connect(who);
    await viewer.next('run', ({ run }) => run.id === who.run);
    viewer.close();
    await watchNobody('presence-first');
  });

  test('one that opens during a commit misses nothing of it', async () => {
    await watchNobody('presence-during');
    const changes = await ObservedGateway.observe('changes', 'commit');
    changes.hold();
    const who = newIdentity('presence-during');
    await TestWrapper.connect(who);
    await waitFor('the commit to be in progress', () => changes.queries.length > 0);
    const viewer = await TestViewer.watch('/watch');
    changes.release();
    await viewer.next('run', ({ run }) => run.id === who.run);
    viewer.close();
  });

  test('an answer that nobody watches is outdated when a viewer has arrived meanwhile', async () => {
    const isPossible = await runInDurableObject(gateway(), (_object, { storage }) => {
      const viewers = new ViewerPresence(storage);
      viewers.arrived();
      const { arrivals } = viewers;
      viewers.arrived();
      viewers.noneLeft(arrivals);
      const meanwhile = viewers.isPossible;
      viewers.noneLeft(viewers.arrivals);
      return [meanwhile, viewers.isPossible];
    });
    expect(isPossible).toEqual([true, false]);
  });

  test('one that could not be reported is not let in', async () => {
    await runInDurableObject(gateway(), (object) => {
      object.viewerArrived = () => {
        throw new Error('down');
      };
    });
    const headers = {
      Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}`,
      Upgrade: 'websocket',
      'Sec-WebSocket-Protocol': 'leash.watch.v1',
    };
    expect(await refusal(request('/api/v1/watch', { headers }))).toBe('503 unavailable');
    await runInDurableObject(gateway(), (object) => {
      Reflect.deleteProperty(object, 'viewerArrived');
    });
    (await TestViewer.watch('/watch')).close();
  });
});
