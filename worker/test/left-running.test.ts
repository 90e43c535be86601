import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import type { CompleteMessage } from '#testing/wrapper-messages';
import { getKill, postKill } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { disconnected, eventTypes, hibernate, jobObject, restart, run } from './support/objects.ts';
import { type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

const SILENCE_MS = 30_000;
const KILL_ANSWER_MS = 3_000;
const KILL_LIFE_MS = 600_000;
const LEFT = [{ pid: 4711, command_line: 'sleep 1000' }];
const EXITED: Partial<CompleteMessage> = {
  exit_code: 0,
  command_exit_code: 0,
  signal: null,
  reason: 'exited',
  left_running: LEFT,
};

/** A run that has ended and left something running, with nobody in touch. */
async function leave(who: Identity): Promise<void> {
  const wrapper = await TestWrapper.connect(who);
  await wrapper.completed(EXITED);
  wrapper.close();
  await disconnected(who);
}

/** Who stays for what is left. */
async function keep(who: Identity): Promise<TestWrapper> {
  const keeper = await TestWrapper.connect(who, { phase: 'ended' });
  await keeper.completed(EXITED);
  return keeper;
}

async function targetState(id: string, who: Identity) {
  return (await getKill(id)).targets.find((target) => target.run === who.run)?.state;
}

const ENDED = { state: 'succeeded', final: true, exit_code: 0, reason: 'exited' };

describe('a run that left something running', () => {
  useFakeDate();

  test('says what, by an event and as long as it runs', async () => {
    const who = newIdentity('left');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed(EXITED);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, left_running: LEFT });
    wrapper.close();
    await disconnected(who);
    const keeper = await keep(who);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: true, left_running: LEFT });
    const fewer = [{ pid: 4712, command_line: '' }];
    keeper.say({ type: 'left_running', processes: fewer });
    keeper.say({ type: 'left_running', processes: fewer });
    await keeper.settled();
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, left_running: fewer });
    keeper.say({ type: 'left_running', processes: [] });
    await keeper.settled();
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: false, left_running: [] });
    const events = await runInDurableObject(jobObject(who.job), (object) => object.events(who.run, 0, 100));
    expect(events.map((event) => (event.type === 'left_running' ? event.processes : event.type))).toEqual([
      'started',
      'connected',
      'ended',
      LEFT,
      fewer,
      [],
    ]);
  });

  test('says what its wrapper has ended of that', async () => {
    const who = newIdentity('left-ended');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ ...EXITED, left_running: [], ended_leftovers: LEFT });
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, left_running: [] });
    const events = await runInDurableObject(jobObject(who.job), (object) => object.events(who.run, 0, 100));
    expect(events.slice(2)).toMatchObject([{ type: 'leftovers_ended', processes: LEFT }, { type: 'ended' }]);
  });

  test('must have ended: before that it is not news', async () => {
    const who = newIdentity('left-early');
    const wrapper = await TestWrapper.connect(who);
    wrapper.say({ type: 'left_running', processes: LEFT });
    await wrapper.error('bad_frame');
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', left_running: [] });
  });

  test('gets a kill that names it, and its end stands', async () => {
    const who = newIdentity('left-kill');
    await leave(who);
    const keeper = await keep(who);
    const { id } = await postKill(who.job, { run: who.run });
    expect(await targetState(id, who)).toBe('sent');
    expect((await keeper.kill()).kill).toBe(id);
    keeper.killing(id, 'term');
    await keeper.settled();
    expect(await run(who.job, who.run)).toMatchObject(ENDED);
    expect(await getKill(id)).toMatchObject({ state: 'delivered', targets: [{ state: 'term' }] });
    keeper.killing(id, 'gone');
    keeper.say({ type: 'left_running', processes: [] });
    await keeper.settled();
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 0 }] });
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, left_running: [] });
    expect(await eventTypes(who.job, who.run)).toEqual(
      'started connected ended left_running kill_requested kill_sent kill_delivered kill_progress kill_progress left_running'.split(
        ' ',
      ),
    );
    // Now there is nothing any more.
    const late = await postKill(who.job, { run: who.run });
    expect(late).toMatchObject({ state: 'settled', targets: [{ state: 'refused' }] });
  });

  test('is not what a kill of its job or its instance means', async () => {
    const who = newIdentity('left-selector');
    await leave(who);
    const keeper = await keep(who);
    for (const selector of [{}, { instance: who.instance }, { machine: who.machine }]) {
      expect((await postKill(who.job, selector)).targets).toEqual([]);
    }
    await keeper.settled();
    expect(keeper.of('kill')).toEqual([]);
    // They go on looking for runs that connect.
    const next = await keep(who);
    await next.settled();
    expect(next.of('kill')).toEqual([]);
  });

  test('gets a kill that came while no wrapper was connected, once one is', async () => {
    const who = newIdentity('left-pending');
    await leave(who);
    const { id } = await postKill(who.job, { run: who.run });
    expect(await getKill(id)).toMatchObject({ state: 'queued', targets: [{ state: 'pending' }] });
    const keeper = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await keeper.kill()).kill).toBe(id);
    await keeper.completed(EXITED);
    expect(await targetState(id, who)).toBe('sent');
    // Its processes have gone by themselves meanwhile.
    keeper.say({ type: 'left_running', processes: [] });
    await keeper.settled();
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'refused' }] });
  });

  test('keeps a kill open that its wrapper had not answered when it ended', async () => {
    const who = newIdentity('left-open');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { run: who.run });
    await wrapper.kill();
    await wrapper.completed(EXITED);
    expect(await targetState(id, who)).toBe('sent');
    wrapper.close();
    await disconnected(who);
    const keeper = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await keeper.kill()).kill).toBe(id);
  });

  test('gets no kill on the link of a wrapper that is about to leave, until that says that it stays', async () => {
    const who = newIdentity('left-leaving');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed(EXITED);
    const { id } = await postKill(who.job, { run: who.run });
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
    expect(await targetState(id, who)).toBe('pending');
    wrapper.say({ type: 'left_running', processes: LEFT });
    expect((await wrapper.kill()).kill).toBe(id);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: true });
  });

  test('gets a kill again that stays unanswered, then its link is given up and it is only disconnected', async () => {
    const who = newIdentity('left-mute');
    await leave(who);
    const keeper = await keep(who);
    const { id } = await postKill(who.job, { run: who.run });
    await keeper.kill();
    await pass(who.job, KILL_ANSWER_MS + 1);
    await waitFor('the kill again', () => keeper.of('kill').length === 2);
    await pass(who.job, KILL_ANSWER_MS + 1);
    expect((await keeper.wasClosed()).code).toBe(4002);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: false, disconnected_since: null });
    const next = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await next.kill()).kill).toBe(id);
  });

  test('is disconnected, never lost, when its link falls silent', async () => {
    const who = newIdentity('left-silent');
    await leave(who);
    const keeper = await keep(who);
    await pass(who.job, SILENCE_MS + 1);
    expect((await keeper.wasClosed()).code).toBe(4002);
    await pass(who.job, SILENCE_MS + 1);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: false, left_running: LEFT });
    expect(await eventTypes(who.job, who.run)).toEqual(['started', 'connected', 'ended', 'left_running']);
  });

  test('keeps its link while the object sleeps, and is disconnected when that was away', async () => {
    const who = newIdentity('left-sleep');
    await leave(who);
    const keeper = await keep(who);
    await hibernate(who.job);
    const { id } = await postKill(who.job, { run: who.run });
    expect((await keeper.kill()).kill).toBe(id);
    await restart(who.job);
    expect(await run(who.job, who.run)).toMatchObject({ ...ENDED, connected: false, left_running: LEFT });
  });

  test('holds a kill no longer open than kills are, and gets it all the same once a wrapper connects again', async () => {
    const who = newIdentity('left-expired');
    await leave(who);
    const { id } = await postKill(who.job, { run: who.run });
    await pass(who.job, KILL_LIFE_MS + 1);
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'lost' }] });
    const keeper = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await keeper.kill()).kill).toBe(id);
    expect(await getKill(id)).toMatchObject({ state: 'queued', targets: [{ state: 'sent' }] });
    keeper.close();
    await disconnected(who);
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'lost' }] });
  });
});
