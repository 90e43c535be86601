import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { MAX_VIEWER_UNREAD_BYTES, MAX_VIEWERS, MAX_VIEWERS_PER_TOKEN, VIEWER_PING_BYTES } from '#protocol/limits';
import { waitFor } from '#testing/wait-for';
import { type Backlog, unreadBytes } from '../durable/sockets/viewer-backlog.ts';
import { exceededViewerLimit } from '../durable/sockets/viewer-limits.ts';
import { call, newToken, postKill, refusal } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { without } from './support/d1.ts';
import { env } from './support/env.ts';
import { indexedRun } from './support/indexed-runs.ts';
import { hibernate, jobObject } from './support/objects.ts';
import { sayAlive, TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('watching a run', () => {
  test('shows what is stored, then what arrives, with events and states as they happen', async () => {
    const who = newIdentity('watch-run');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'before ');
    await wrapper.acked(7);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await waitFor('the stored output', () => viewer.output === 'before ');
    wrapper.print(7, 'after');
    await waitFor('the live output', () => viewer.output === 'before after');

    const { id } = await postKill(who.job);
    await viewer.next('kill', ({ kill }) => kill.id === id && kill.targets[0]?.state === 'sent');
    wrapper.killing(id, 'term');
    await viewer.next('kill', ({ kill }) => kill.id === id && kill.state === 'delivered');
    await viewer.next('run', ({ run }) => run.state === 'killing');
    await viewer.next('event', ({ event }) => event.type === 'kill_progress' && event.phase === 'term');
    await wrapper.completed({ final_offset: 12 });
    await viewer.next('run', ({ run }) => run.state === 'killed' && run.exit_code === 143);
    await viewer.next('kill', ({ kill }) => kill.state === 'settled');
    const seqs = viewer.of('run').map(({ run }) => run.seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  test('makes its wrapper eager, and lazy again when nobody is left', async () => {
    const who = newIdentity('watch-flow');
    const wrapper = await TestWrapper.connect(who);
    const modes = () => wrapper.of('flow').map(({ mode }) => mode);
    const [one, two] = await Promise.all([
      TestViewer.watch(`/jobs/${who.job}/watch`),
      TestViewer.watch(`/jobs/${who.job}/watch`),
    ]);
    one.say({ type: 'subscribe', run: who.run, offset: 0 });
    await waitFor('eager', () => modes().at(-1) === 'eager');
    two.say({ type: 'subscribe', run: who.run, offset: 0 });
    await two.next('subscribed');
    one.close();
    await wrapper.settled();
    expect(modes().at(-1)).toBe('eager');
    two.close();
    await waitFor('lazy', () => modes().at(-1) === 'lazy');
  });

  test('begins with what D1 does not have yet, so that lists which are read then have no hole', async () => {
    const who = newIdentity('watch-late');
    await without(['runs', 'kills'], async () => {
      await TestWrapper.connect(who);
      const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
      const { run } = await viewer.next('run');
      expect(run).toMatchObject({ id: who.run, state: 'running' });
      viewer.close();
    });
  });

  test('continues after the object hibernated', async () => {
    const who = newIdentity('watch-asleep');
    const wrapper = await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await viewer.next('subscribed');
    await hibernate(who.job);
    wrapper.print(0, 'awake');
    await waitFor('the output', () => viewer.output === 'awake');
  });

  test('asks a viewer that falls behind to fetch, and serves it again from where it says', async () => {
    const who = newIdentity('watch-slow');
    const wrapper = await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await viewer.next('subscribed');
    const chunk = 'x'.repeat(200_000);
    for (let index = 0; index < 8; index++) {
      wrapper.print(index * chunk.length, chunk);
      await wrapper.acked((index + 1) * chunk.length);
    }
    const { offset } = await viewer.next('behind');
    expect(offset).toBeGreaterThanOrEqual(1_048_576);
    expect(viewer.offset).toBe(offset);
    viewer.say({ type: 'subscribe', run: who.run, offset: 8 * chunk.length });
    await waitFor('the second subscription', () => viewer.of('subscribed').length === 2);
    wrapper.print(8 * chunk.length, 'live again');
    await waitFor('the live output', () => viewer.output.endsWith('live again'));
  });

  test('never waits for an ack while less than the window is unacked, and continues with acks beyond it', async () => {
    const who = newIdentity('watch-acks');
    const wrapper = await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await viewer.next('subscribed');
    const chunk = 'y'.repeat(200_000);
    for (let index = 0; index < 12; index++) {
      const end = (index + 1) * chunk.length;
      wrapper.print(index * chunk.length, chunk);
      await waitFor('the output', () => viewer.offset === end);
      viewer.say({ type: 'ack', run: who.run, offset: end });
    }
    expect(viewer.of('behind')).toEqual([]);
  });

  test('that wants a part is sent no more than the frames that hold it, whatever arrives, until it asks again', async () => {
    const who = newIdentity('watch-part');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'one');
    wrapper.print(3, 'two');
    wrapper.say({ type: 'gap', from: 6, to: 100 });
    wrapper.print(100, 'three');
    // On another stream: small frames of one stream are stored together.
    wrapper.print(105, 'four', 'stderr');
    await wrapper.acked(109);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    // What is missing is none of what is wanted.
    viewer.say({ type: 'subscribe', run: who.run, offset: 0, bytes: 7 });
    await waitFor('the part', () => viewer.output === 'onetwothree');
    expect(viewer.of('gap')).toMatchObject([{ from: 6, to: 100 }]);
    await hibernate(who.job);
    wrapper.print(109, 'five');
    await wrapper.acked(113);
    viewer.say({ type: 'subscribe', run: who.run, offset: 105 });
    await waitFor('the rest', () => viewer.output.endsWith('five'));
    expect(viewer.output).toBe('onetwothreefourfive');
  });

  test('that wants a tail gets as much as there is of it, and the gap in it whole; within a gap it learns where that begins', async () => {
    const who = newIdentity('watch-tail');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'before');
    wrapper.say({ type: 'gap', from: 6, to: 60_000_006 });
    wrapper.print(60_000_006, 'end');
    await wrapper.acked(60_000_009);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    const subscribe = async (wanted: object) => {
      const known = viewer.of('subscribed').length;
      viewer.say({ type: 'subscribe', run: who.run, offset: 0, ...wanted });
      await waitFor('the subscription', () => viewer.of('subscribed').length > known);
      return viewer.of('subscribed').at(-1);
    };
    expect(await subscribe({ tail: 5 })).toMatchObject({ offset: 4 });
    await waitFor('the tail', () => viewer.output === 'reend');
    expect(viewer.of('gap').at(-1)).toEqual({ type: 'gap', run: who.run, from: 6, to: 60_000_006 });
    expect(await subscribe({ tail: 2 })).toMatchObject({ offset: 60_000_007 });
    expect(await subscribe({ tail: 3 })).toMatchObject({ offset: 60_000_006 });
    expect(await subscribe({ tail: 100 })).toMatchObject({ offset: 0 });
    expect(await subscribe({ tail: 100, offset: 3 })).toMatchObject({ offset: 3 });
    await subscribe({ offset: 1_000_006 });
    await waitFor('the gap', () => viewer.of('gap').at(-1)?.from === 1_000_006);
    expect(viewer.of('gap').at(-1)).toMatchObject({ to: 60_000_006, begin: 6 });
  });

  test('makes the wrapper of a run lazy when its only viewer follows another', async () => {
    const [one, two] = [newIdentity('watch-move'), newIdentity('watch-move')];
    const [wrapper] = await Promise.all([TestWrapper.connect(one), TestWrapper.connect(two)]);
    const viewer = await TestViewer.watch('/jobs/watch-move/watch');
    viewer.say({ type: 'subscribe', run: one.run, offset: 0 });
    await waitFor('eager', () => wrapper.of('flow').at(-1)?.mode === 'eager');
    viewer.say({ type: 'subscribe', run: two.run, offset: 0 });
    await waitFor('lazy', () => wrapper.of('flow').at(-1)?.mode === 'lazy');
  });

  test('gains nothing by an ack of what was never sent, or of another run', async () => {
    const [one, two] = [newIdentity('watch-lies'), newIdentity('watch-lies')];
    const [wrapper] = await Promise.all([TestWrapper.connect(one), TestWrapper.connect(two)]);
    const viewer = await TestViewer.watch('/jobs/watch-lies/watch');
    viewer.say({ type: 'subscribe', run: one.run, offset: 0 });
    await viewer.next('subscribed');
    wrapper.print(0, 'x');
    await waitFor('the output', () => viewer.offset === 1);
    viewer.say({ type: 'ack', run: one.run, offset: 1_000_000_000 });
    viewer.say({ type: 'ack', run: two.run, offset: 1_000_000_000 });
    const chunk = 'y'.repeat(200_000);
    for (let index = 0; index < 8; index++) {
      wrapper.print(1 + index * chunk.length, chunk);
      await wrapper.acked(1 + (index + 1) * chunk.length);
    }
    await viewer.next('behind');
  });

  test('of a run that does not exist, or in words that are none, gets an error', async () => {
    const who = newIdentity('watch-errors');
    await TestWrapper.connect(who);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.say({ type: 'subscribe', run: newIdentity('x').run, offset: 0 });
    expect(await viewer.next('error')).toMatchObject({ code: 'unknown_run' });
  });
});

describe('a viewer that is dead', () => {
  useFakeDate();

  test('is hung up on, and its run is not watched any more', async () => {
    const who = newIdentity('watch-dead');
    const viewer = await TestViewer.watchHalfOpen(`/jobs/${who.job}/watch`);
    const wrapper = await TestWrapper.connect(who);
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await waitFor('eager', () => wrapper.of('flow').at(-1)?.mode === 'eager');
    for (let round = 0; round < 4; round++) {
      wrapper.say({ type: 'alive' });
      await wrapper.settled();
      await pass(who.job, 30_001);
    }
    await waitFor('lazy', () => wrapper.of('flow').at(-1)?.mode === 'lazy');
    expect((await viewer.wasClosed()).code).toBe(4002);
  });

  test('is not one that acks, nor one whose heartbeats are answered', async () => {
    // The runtime stamps an answered heartbeat with the true time: so it is the connection that is moved into the past.
    vi.setSystemTime(Date.now() - 120_000);
    const who = newIdentity('watch-alive');
    const wrapper = await TestWrapper.connect(who);
    const [acks, beats] = [
      await TestViewer.watch(`/jobs/${who.job}/watch`),
      await TestViewer.watch(`/jobs/${who.job}/watch`),
    ];
    for (const viewer of [acks, beats]) {
      viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
      await viewer.next('subscribed');
    }
    await beats.beat();
    for (let round = 0; round < 4; round++) {
      acks.say({ type: 'ack', run: who.run, offset: 0 });
      wrapper.print(round, '.');
      await waitFor('the output', () => acks.offset === round + 1);
      await pass(who.job, 30_001);
    }
    await wrapper.settled();
    expect([acks.closed, beats.closed]).toEqual([null, null]);
    expect(wrapper.of('flow').at(-1)?.mode).toBe('eager');
  });
});

describe.each([
  ['the fleet', '/watch', () => env.FLEET.getByName('fleet')],
  ['a job that has no wrapper', '/jobs/watch-alone/watch', () => jobObject('watch-alone')],
])('a viewer of %s', (_what, path, object) => {
  useFakeDate();

  test('that says nothing is hung up on, and one that does is not; then no alarm rings any more', async () => {
    // What is there from before is none of this.
    await runInDurableObject(object(), (_instance, state) => {
      for (const socket of state.getWebSockets('viewer')) socket.close(1000);
    });
    const [silent, alive] = [await TestViewer.watchHalfOpen(path), await TestViewer.watch(path)];
    vi.setSystemTime(Date.now() + 90_001);
    await sayAlive(object(), alive);
    await runDurableObjectAlarm(object());
    expect((await silent.wasClosed()).code).toBe(4002);
    expect(alive.closed).toBeNull();

    // Not more often than a page in the background says something.
    expect(await msUntilAlarm(object())).toBeGreaterThanOrEqual(30_000);
    expect(await msUntilAlarm(object())).toBeLessThanOrEqual(90_000);
    alive.close();
    await alive.wasClosed();
    vi.setSystemTime(Date.now() + 90_001);
    await runDurableObjectAlarm(object());
    expect(await msUntilAlarm(object())).toBeGreaterThan(3_600_000);
  });
});

/** In how many milliseconds the object's alarm fires; none counts as never. */
async function msUntilAlarm(object: DurableObjectStub): Promise<number> {
  const alarm = await runInDurableObject(object, (_instance, { storage }) => storage.getAlarm());
  return (alarm ?? Number.POSITIVE_INFINITY) - Date.now();
}

describe('a viewer that does not read', () => {
  useFakeDate();

  test('of the fleet is hung up on before it has cost much; one that reads is not', async () => {
    const fleet = env.FLEET.getByName('fleet');
    const [deaf, reading] = [await TestViewer.watch('/watch'), await TestViewer.watch('/watch')];
    deaf.answersPings = false;
    const many = Array.from({ length: 100 }, () => indexedRun(Date.now(), null, { command_line: 'x'.repeat(4_000) }));
    const bytes = JSON.stringify(many).length;
    let told = 0;
    while (deaf.closed === null || told < 2 * MAX_VIEWER_UNREAD_BYTES) {
      await fleet.publish({ runs: many, kills: [], removedRuns: [] });
      told += bytes;
      // It has answered for all but what came after it was asked.
      await waitFor('the reader to have read', async () => (await leastUnread(fleet)) <= bytes + VIEWER_PING_BYTES);
    }
    expect(deaf.closed).toEqual({ code: 4003 });
    expect(deaf.of('run').length).toBeLessThanOrEqual(many.length * Math.ceil(MAX_VIEWER_UNREAD_BYTES / bytes + 1));
    expect(deaf.of('ping')).toHaveLength(1);
    await waitFor('all of it', () => reading.of('run').length >= many.length * Math.floor(told / bytes));
    expect(reading.closed).toBeNull();
  });

  test('of a job gains nothing by asking for the same output again and again', async () => {
    const who = newIdentity('watch-again');
    const wrapper = await TestWrapper.connect(who);
    wrapper.print(0, 'x'.repeat(250_000));
    await wrapper.acked(250_000);
    const viewer = await TestViewer.watch(`/jobs/${who.job}/watch`);
    viewer.answersPings = false;
    viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    await waitFor('eager', () => wrapper.of('flow').at(-1)?.mode === 'eager');
    for (let count = 0; count < 40; count++) viewer.say({ type: 'subscribe', run: who.run, offset: 0 });
    expect((await viewer.wasClosed()).code).toBe(4003);
    expect(viewer.output.length).toBeLessThanOrEqual(MAX_VIEWER_UNREAD_BYTES + 250_000);
    // Nobody watches any more.
    await waitFor('lazy', () => wrapper.of('flow').at(-1)?.mode === 'lazy');
  });
});

/** What the best of an object's viewers has left unread. */
function leastUnread(object: DurableObjectStub): Promise<number> {
  return runInDurableObject(object, (_instance, state) => {
    const open = state.getWebSockets('viewer').filter(({ readyState }) => readyState === WebSocket.OPEN);
    const unread = open.map((socket) => {
      const { backlog } = socket.deserializeAttachment() as { backlog: Backlog };
      return unreadBytes(backlog);
    });
    return Math.min(...unread);
  });
}

describe('a viewer too many', () => {
  test.each(['/watch', '/jobs/watch-crowd/watch'])(
    'of %s is rejected as such; those with another token get in',
    async (path) => {
      const { secret } = await newToken({ name: 'crowd', scopes: ['read'] });
      const crowd = await Promise.all(
        Array.from({ length: MAX_VIEWERS_PER_TOKEN }, () => TestViewer.watch(path, secret)),
      );
      const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.watch.v1' };
      const refused = await call('GET', path, { token: secret, headers });
      expect(refused.headers.get('Retry-After')).toBe('60');
      expect(await refusal(refused)).toBe('429 too_many_viewers');
      (await TestViewer.watch(path)).close();
      crowd[0]?.close();
      await crowd[0]?.wasClosed();
      await waitFor('room for one more', async () => {
        const response = await call('GET', path, { token: secret, headers });
        response.webSocket?.accept();
        return response.status === 101;
      });
      for (const viewer of crowd) viewer.close();
    },
  );

  test('is one of all tokens together, too, and counts until its link is gone', () => {
    const counting = (ofToken: number, all: number) =>
      ({
        getWebSockets: (tag: string) => Array.from({ length: tag === 'viewer' ? all : ofToken }),
      }) as unknown as DurableObjectState;
    expect(exceededViewerLimit(counting(0, MAX_VIEWERS), 'one')).toBe('object');
    expect(exceededViewerLimit(counting(MAX_VIEWERS_PER_TOKEN, 0), 'one')).toBe('token');
    expect(exceededViewerLimit(counting(MAX_VIEWERS_PER_TOKEN - 1, MAX_VIEWERS - 1), 'one')).toBeNull();
  });
});

describe('watching the fleet', () => {
  useFakeDate();

  test('hears of every change after D1 has it, but only of jobs that the viewer may read', async () => {
    const { secret } = await newToken({ name: 'mine', scopes: ['read'], jobs: 'fleet-mine*' });
    const [all, mine, none] = await Promise.all([
      TestViewer.watch('/watch'),
      TestViewer.watch('/watch', secret),
      TestViewer.watch('/watch?only=brakes'),
    ]);
    const [own, other] = [newIdentity('fleet-mine'), newIdentity('fleet-other')];
    await TestWrapper.connect(other);
    await all.next('run', ({ run }) => run.id === other.run);
    const known = await env.DB.prepare('SELECT 1 FROM runs WHERE id = ?').bind(other.run).first();
    expect(known).not.toBeNull();
    await TestWrapper.connect(own);
    await mine.next('run', ({ run }) => run.id === own.run);
    expect(mine.of('run').map(({ run }) => run.job)).not.toContain('fleet-other');
    expect(none.messages).toEqual([]);
  });

  test('hears nothing of what D1 does not have yet', async () => {
    const who = newIdentity('fleet-after');
    const viewer = await TestViewer.watch('/watch');
    await without(['runs'], async () => {
      await TestWrapper.connect(who);
      // Ends only when D1 has been asked.
      await jobObject(who.job).reconcile();
      expect(viewer.of('run').filter(({ run }) => run.id === who.run)).toEqual([]);
    });
    await pass(who.job, 5_001);
    await viewer.next('run', ({ run }) => run.id === who.run);
  });
});
