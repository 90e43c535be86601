import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { postKill } from './support/api.ts';
import { pass, runTimers, useFakeDate } from './support/clock.ts';
import { indexed, without } from './support/d1.ts';
import { env } from './support/env.ts';
import {
  disconnected,
  eventTypes,
  hibernate,
  isOutboxEmpty,
  jobObject,
  nextAlarm,
  restart,
  run,
} from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const SILENCE_MS = 30_000;
const PROBE_MS = 5_000;
const DISCONNECT_MS = 30_000;
const RECONNECT_CAP_MS = 10_000;

describe('a run that falls silent on an open link', () => {
  useFakeDate();

  test('is suspected, asked, and only then lost', async () => {
    const who = newIdentity('silent');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });

    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({
      state: 'lost',
      final: false,
      exit_code: 253,
      reason: 'silence',
      connected: false,
    });
    // The link may be half-open: the wrapper, if it lives, is made to dial anew.
    expect((await wrapper.wasClosed()).code).toBe(4002);
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected', 'suspected', 'lost']);
  });

  test('lives when it answers the probe', async () => {
    const who = newIdentity('answers');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    wrapper.say({ type: 'alive' });
    await wrapper.settled();
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected', 'suspected', 'answered']);
  });

  test('is not suspected while anything is heard of it', async () => {
    const who = newIdentity('chatty');
    const wrapper = await TestWrapper.connect(who);
    for (let offset = 0; offset < 4; offset++) {
      await pass(who.job, SILENCE_MS - 5_000);
      wrapper.print(offset, '.');
      await wrapper.acked(offset + 1);
    }
    expect(wrapper.of('probe')).toEqual([]);
  });

  test('is not suspected while its heartbeats are answered', async () => {
    // The runtime stamps an answered heartbeat with the true time: so it is the connection that is moved into the past.
    vi.setSystemTime(Date.now() - SILENCE_MS);
    const who = newIdentity('heartbeats');
    const wrapper = await TestWrapper.connect(who);
    wrapper.raw('hb');
    await waitFor('the answer', () => wrapper.received.includes('hb'));
    await pass(who.job, SILENCE_MS + 1);
    await wrapper.settled();
    expect(wrapper.of('probe')).toEqual([]);
  });

  test('lives when a heartbeat is all that follows the probe', async () => {
    const who = newIdentity('heartbeat-answers');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    wrapper.raw('hb');
    await waitFor('the answer', () => wrapper.received.includes('hb'));
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
    expect(await eventTypes(who.job, who.run)).toContain('answered');
  });

  test('is asked again, and not judged, when the time to answer ended long ago', async () => {
    const who = newIdentity('probe-late');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    await pass(who.job, 600_000);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    await waitFor('another probe', () => wrapper.of('probe').length >= 2);
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('is suspected again after it came back on another link, and lost when that is silent too', async () => {
    const who = newIdentity('suspected-returns');
    const first = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => first.of('probe').length === 1);
    const second = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe on the new link', () => second.of('probe').length === 1);
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('is suspected again after it said start again on the same link, and lost when nothing follows', async () => {
    const who = newIdentity('suspected-restarts');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    wrapper.start();
    await waitFor('the second ack of start', () => wrapper.of('ack').filter(({ of }) => of === 'start').length === 2);
    await pass(who.job, SILENCE_MS + 1);
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('is found within twice the time when it was heard of at the last look', async () => {
    const who = newIdentity('silent-later');
    const wrapper = await TestWrapper.connect(who);
    await pass(who.job, 20_000);
    wrapper.say({ type: 'alive' });
    await wrapper.settled();
    await pass(who.job, SILENCE_MS - 20_000);
    expect(await nextAlarm(who.job)).toBe(Date.now() + 2 * SILENCE_MS);
    await pass(who.job, 2 * SILENCE_MS);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
  });

  test('is doubted even when the object hibernated meanwhile', async () => {
    const who = newIdentity('silent-asleep');
    const wrapper = await TestWrapper.connect(who);
    await hibernate(who.job);
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
    await pass(who.job, PROBE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });
});

describe('a run whose link was cut', () => {
  useFakeDate();

  test('is lost when it has not returned within the deadline', async () => {
    const who = newIdentity('cut');
    const wrapper = await TestWrapper.connect(who);
    wrapper.close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS - 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    await pass(who.job, 2);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', exit_code: 253, final: false });
  });

  test('lets the object sleep at first, and is lost on time', async () => {
    const who = newIdentity('cut-asleep');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await waitFor('D1 to know it', () => isOutboxEmpty(who.job));
    // A pending timer would keep the object in memory.
    expect(vi.getTimerCount()).toBe(0);
    await pass(who.job, DISCONNECT_MS - 2 * RECONNECT_CAP_MS);
    expect(vi.getTimerCount()).toBe(1);
    await pass(who.job, 2 * RECONNECT_CAP_MS);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('is lost later if the object slept: the new instance waits for a whole deadline', async () => {
    const who = newIdentity('cut-evicted');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await hibernate(who.job);
    await pass(who.job, DISCONNECT_MS - 2 * RECONNECT_CAP_MS);
    await pass(who.job, DISCONNECT_MS - 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    await pass(who.job, 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('keeps running when it returns in time', async () => {
    const who = newIdentity('cut-returns');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS - 1);
    await TestWrapper.connect(who);
    await pass(who.job, 10_000);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
  });

  test('is running again when it comes back after it was declared lost', async () => {
    const who = newIdentity('lost-returns');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS + 1);
    await TestWrapper.connect(who);
    expect(await run(who.job, who.run)).toMatchObject({
      state: 'running',
      exit_code: null,
      reason: null,
      ended_at: null,
      connected: true,
    });
    expect(await eventTypes(who.job, who.run)).toEqual([
      'started',
      'connected',
      'disconnected',
      'lost',
      'connected',
      'returned',
    ]);
  });

  test('gets its true end from a completion that comes after it was declared lost', async () => {
    const who = newIdentity('lost-completes');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS + 1);
    const late = await TestWrapper.connect(who, { phase: 'ended' });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
    await late.completed({ exit_code: 7, command_exit_code: 7, signal: null, reason: 'exited' });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'failed', exit_code: 7, final: true });
  });

  test('is lost for good when only its spool comes back', async () => {
    const who = newIdentity('abandoned');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    const flusher = await TestWrapper.connect(who, { phase: 'abandoned', output: { from: 0, to: 5 } });
    flusher.print(0, 'hello');
    await flusher.acked(5);
    expect(await run(who.job, who.run)).toMatchObject({
      state: 'lost',
      final: true,
      exit_code: 253,
      reason: 'wrapper_died',
      output_bytes: 5,
    });
  });

  test('is lost too when the link was closed from here and the peer never answered that', async () => {
    const who = newIdentity('close-unanswered');
    await TestWrapper.connectHalfOpen(who);
    await runInDurableObject(jobObject(who.job), (_object, state) => {
      for (const socket of state.getWebSockets()) socket.close(1011, 'internal');
    });
    // First it is found to be out of touch, and then it has the whole deadline to return.
    await pass(who.job, SILENCE_MS + 1);
    for (let round = 0; round < 2; round++) await pass(who.job, DISCONNECT_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', connected: false });
  });

  test('counts as disconnected again when it came back only to tell its end, and then fell silent', async () => {
    const who = newIdentity('lost-ended-silent');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS + 1);
    await TestWrapper.connect(who, { phase: 'ended' });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', connected: true });
    for (let round = 0; round < 3; round++) await pass(who.job, SILENCE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost', connected: false });
  });

  test('has neither exit code nor end while a step of its end is all that it reported', async () => {
    const who = newIdentity('lost-step');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, DISCONNECT_MS + 1);
    const back = await TestWrapper.connect(who, { phase: 'ended' });
    back.say({
      type: 'killing',
      kill: null,
      reason: 'timeout',
      phase: 'term',
      signal: 'SIGTERM',
      at_ms: 50,
      survivors: [],
      unnamed_survivors: false,
    });
    await back.settled();
    const found = await run(who.job, who.run);
    // Either it still counts as lost, or it lives: but never half of each.
    if (found?.state === 'killing') expect(found).toMatchObject({ exit_code: null, reason: null, ended_at: null });
    else expect(found).toMatchObject({ state: 'lost', exit_code: 253 });
  });

  test('is not lost while D1 is away: wrappers cannot sign in then', async () => {
    const who = newIdentity('d1-away');
    const wrapper = await TestWrapper.connect(who);
    await indexed(who.run);
    await without(['tokens', 'runs'], async () => {
      wrapper.close();
      await disconnected(who);
      for (let round = 0; round < 6; round++) {
        await pass(who.job, 5_001);
        // Ends only when D1 has been asked.
        await jobObject(who.job).reconcile();
      }
      await pass(who.job, 5_001);
      expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: false });
    });
  });

  test('did not end in the future, whatever its wrapper says of how long it ran', async () => {
    const who = newIdentity('ended-future');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ duration_ms: 3_600_000 });
    expect(Date.parse((await run(who.job, who.run))?.ended_at ?? '')).toBeLessThanOrEqual(Date.now());
  });
});

describe('a socket that never says start', () => {
  useFakeDate();

  test('is closed after its time, whatever else it says; one that dialled later has its own', async () => {
    const who = newIdentity('no-start-ever');
    const mute = await TestWrapper.connect(who, null);
    await runTimers(who.job, 20_000);
    mute.raw('{"type":"alive"}');
    await mute.error('start_expected');
    const later = await TestWrapper.connect(newIdentity(who.job), null);
    await runTimers(who.job, 10_000);
    expect((await mute.wasClosed()).code).toBe(4002);
    expect(later.closed).toBeNull();
    await runTimers(who.job, 20_000);
    expect((await later.wasClosed()).code).toBe(4002);
  });

  test('has stored nothing when it is closed', async () => {
    const who = newIdentity('no-start-no-tables');
    const mute = await TestWrapper.connect(who, null);
    const stored = () =>
      runInDurableObject(jobObject(who.job), async (_object, { storage }) => ({
        tables: storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
        alarm: await storage.getAlarm(),
      }));
    expect(await stored()).toEqual({ tables: [], alarm: null });
    await runTimers(who.job, 30_000);
    expect((await mute.wasClosed()).code).toBe(4002);
    expect(await stored()).toEqual({ tables: [], alarm: null });
    const wrapper = await TestWrapper.connect(who);
    await wrapper.settled();
    expect((await stored()).tables).not.toEqual([]);
  });

  test('is closed though the object hibernated, and harms no run that did', async () => {
    const [who, mute] = [newIdentity('no-start-asleep'), newIdentity('no-start-asleep')];
    const wrapper = await TestWrapper.connect(who);
    const dialled = await TestWrapper.connect(mute, null);
    await hibernate(who.job);
    await pass(who.job, SILENCE_MS + 1);
    expect((await dialled.wasClosed()).code).toBe(4002);
    wrapper.say({ type: 'alive' });
    await wrapper.settled();
    expect(wrapper.closed).toBeNull();
  });

  test('is not a reason to doubt a run later than its deadline says', async () => {
    const who = newIdentity('start-late');
    const wrapper = await TestWrapper.connect(who, null);
    await pass(who.job, 20_000);
    wrapper.start();
    await wrapper.settled();
    await pass(who.job, SILENCE_MS + 1);
    await waitFor('the probe', () => wrapper.of('probe').length === 1);
  });
});

describe('an object that was itself away', () => {
  useFakeDate();

  test('notices at once that its sockets are gone, and grants the whole deadline from then', async () => {
    const who = newIdentity('away');
    await TestWrapper.connect(who);
    await restart(who.job);
    // Long past every deadline that was set before.
    await pass(who.job, 3_600_000);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: false });
    await pass(who.job, DISCONNECT_MS - 1_000);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    await TestWrapper.connect(who);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
    expect(await eventTypes(who.job, who.run)).not.toContain('lost');
  });

  test('judges nothing by an alarm that is long overdue', async () => {
    const who = newIdentity('overdue');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, 3_600_000);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    await pass(who.job, DISCONNECT_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('grants the deadline again after each of many restarts, however they fall', async () => {
    const who = newIdentity('crash-loop');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    for (let round = 0; round < 5; round++) {
      // Down for most of the deadline and back just before it: the alarm that rings on time proves nothing.
      await pass(who.job, DISCONNECT_MS - 1_000);
      await restart(who.job);
      await pass(who.job, 1_001);
      expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
    }
    await pass(who.job, DISCONNECT_MS);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
  });

  test('sets its alarm again when the last one never rang', async () => {
    const who = newIdentity('alarm-lost');
    await TestWrapper.connect(who);
    await runInDurableObject(jobObject(who.job), (_object, state) => state.storage.deleteAlarm());
    vi.setSystemTime(Date.now() + SILENCE_MS + 1);
    await postKill(who.job);
    expect(await nextAlarm(who.job)).not.toBeNull();
  });

  test('is looked after by the sweep when its alarm never rings', async () => {
    const who = newIdentity('no-alarm');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await waitFor('D1 to know the run', async () => {
      const row = await env.DB.prepare('SELECT seq FROM runs WHERE id = ? AND seq >= 2').bind(who.run).first();
      return row !== null;
    });
    vi.setSystemTime(Date.now() + DISCONNECT_MS + 1);
    await env.DB.prepare('UPDATE jobs SET checked_at = 0').run();
    const { sweep } = await import('../src/sweep.ts');
    await sweep(env);
    expect(await jobObject(who.job).run(who.run)).toMatchObject({ state: 'lost' });
  });
});
