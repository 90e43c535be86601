import { runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { appliedKill, killingMessage } from '#testing/wrapper-messages';
import { sweep } from '../src/sweep.ts';
import { call, getKill, newToken, postKill, refusal } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { without } from './support/d1.ts';
import { env } from './support/env.ts';
import { disconnected, eventTypes, hibernate, jobObject, restart, run, runEvents } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('the kill path', () => {
  test('is recorded step by step, and settles with the exit code', async () => {
    const who = newIdentity('kill-steps');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job, { reason: 'runaway' });
    expect(await wrapper.kill()).toMatchObject({
      kill: id,
      // Its own: it has told no signal, and its grace.
      signal: 'SIGTERM',
      grace_ms: 5000,
      requested_by: 'admin',
      reason: 'runaway',
    });
    expect((await getKill(id)).targets).toMatchObject([{ run: who.run, state: 'sent', exit_code: null }]);

    wrapper.killing(id, 'term');
    await wrapper.settled();
    expect(await getKill(id)).toMatchObject({ state: 'delivered', targets: [{ state: 'term' }] });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killing', exit_code: null });

    wrapper.killing(id, 'kill');
    wrapper.killing(id, 'gone', [99]);
    await wrapper.settled();
    expect(await getKill(id)).toMatchObject({ state: 'delivered', targets: [{ state: 'gone', survivors: [99] }] });

    await wrapper.completed();
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killed', exit_code: 143, final: true });
    expect(await eventTypes(who.job, who.run)).toEqual([
      'started',
      'connected',
      'kill_requested',
      'kill_sent',
      'kill_delivered',
      'kill_progress',
      'kill_progress',
      'kill_progress',
      'ended',
    ]);
  });

  test('holds the answer of ?wait= until the kill is settled', async () => {
    const who = newIdentity('kill-wait');
    const wrapper = await TestWrapper.connect(who);
    const answer = call('POST', `/jobs/${who.job}/kill?wait=30`, { body: {} });
    const { kill: id } = await wrapper.kill();
    wrapper.killing(id, 'term');
    wrapper.killing(id, 'gone');
    wrapper.complete();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ kill: { id, state: 'settled', targets: [{ exit_code: 143 }] } });
  });

  test('reaches only the runs that its selector names', async () => {
    const here = newIdentity('kill-select', 'web1');
    const there = newIdentity('kill-select', 'web2');
    const [one, two] = await Promise.all([TestWrapper.connect(here), TestWrapper.connect(there)]);
    const { id, targets } = await postKill('kill-select', { machine: 'web2' });
    expect(targets).toMatchObject([{ run: there.run, machine: 'web2' }]);
    expect((await two.kill()).kill).toBe(id);
    await one.settled();
    expect(one.of('kill')).toEqual([]);
  });

  test('reaches a wrapper that was away when it was given', async () => {
    const who = newIdentity('kill-away');
    const first = await TestWrapper.connect(who);
    first.close();
    await disconnected(who);
    const { id, state, targets } = await postKill(who.job);
    expect(state).toBe('queued');
    expect(targets).toMatchObject([{ state: 'pending' }]);
    const second = await TestWrapper.connect(who);
    expect((await second.kill()).kill).toBe(id);
    expect(await getKill(id)).toMatchObject({ state: 'queued', targets: [{ state: 'sent' }] });
  });

  test('is delivered once one wrapper has acknowledged it, and not when it was sent; another may still be away', async () => {
    const [here, away] = [newIdentity('kill-half', 'web1'), newIdentity('kill-half', 'web2')];
    const wrapper = await TestWrapper.connect(here);
    (await TestWrapper.connect(away)).close();
    await disconnected(away);
    const { id, state, targets } = await postKill('kill-half');
    expect(state).toBe('queued');
    expect(targets.map((target) => target.state).sort()).toEqual(['pending', 'sent']);
    expect((await eventTypes('kill-half', here.run)).at(-1)).toBe('kill_sent');
    await wrapper.kill();
    wrapper.killing(id, 'term');
    await wrapper.settled();
    expect((await getKill(id)).state).toBe('delivered');
    expect((await eventTypes('kill-half', here.run)).slice(-3)).toEqual([
      'kill_sent',
      'kill_delivered',
      'kill_progress',
    ]);
  });

  test('is delivered for good, though the run that has acknowledged it is lost', async () => {
    const [lost, away] = [newIdentity('kill-half-lost', 'web1'), newIdentity('kill-half-lost', 'web2')];
    const wrapper = await TestWrapper.connect(lost);
    (await TestWrapper.connect(away)).close();
    await disconnected(away);
    const { id } = await postKill('kill-half-lost');
    wrapper.killing(id, 'term');
    await wrapper.settled();
    await TestWrapper.connect(lost, { phase: 'abandoned' });
    const { state, targets } = await getKill(id);
    expect(state).toBe('delivered');
    expect(targets.map((target) => target.state).sort()).toEqual(['lost', 'pending']);
  });

  test('that a wrapper refuses was delivered to it', async () => {
    const who = newIdentity('kill-refused-delivered');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    wrapper.killing(id, 'refused');
    await wrapper.settled();
    expect(await getKill(id)).toMatchObject({ state: 'delivered', targets: [{ state: 'refused' }] });
    expect(await eventTypes(who.job, who.run)).toContain('kill_delivered');
  });

  test('survives an eviction between the order and the return of the wrapper', async () => {
    const who = newIdentity('kill-evicted');
    await TestWrapper.connect(who);
    await restart(who.job);
    const { id } = await postKill(who.job);
    await restart(who.job);
    const back = await TestWrapper.connect(who);
    expect((await back.kill()).kill).toBe(id);
    await hibernate(who.job);
    back.killing(id, 'term');
    back.killing(id, 'gone');
    await back.completed();
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
  });

  test('is repeated after a reconnect only where the wrapper does not say that it has applied it', async () => {
    const who = newIdentity('kill-applied');
    const first = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await first.kill();
    await restart(who.job);
    const applied = appliedKill(id, 'term', { at_ms: 150 });
    const second = await TestWrapper.connect(who, { applied_kills: [applied] });
    await second.settled();
    expect(second.of('kill')).toEqual([]);
    expect((await getKill(id)).targets).toMatchObject([{ state: 'term' }]);
  });

  test('never moves back on repeats and stragglers', async () => {
    const who = newIdentity('kill-repeats');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    wrapper.killing(id, 'kill');
    wrapper.killing(id, 'term');
    wrapper.killing(id, 'kill');
    await wrapper.settled();
    expect((await getKill(id)).targets).toMatchObject([{ state: 'kill' }]);
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'kill_progress')).toHaveLength(1);
  });

  test('steps of a run that ends by its own limit are reported once, however often they are repeated', async () => {
    const who = newIdentity('kill-own-limit');
    const wrapper = await TestWrapper.connect(who);
    const step = { type: 'killing', kill: null, reason: 'timeout', signal: 'SIGTERM', at_ms: 50 } as const;
    wrapper.say({ ...step, phase: 'term', survivors: [], unnamed_survivors: false });
    wrapper.say({ ...step, phase: 'term', survivors: [], unnamed_survivors: false });
    wrapper.say({ ...step, phase: 'gone', survivors: [], unnamed_survivors: false, at_ms: 60 });
    await wrapper.settled();
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killing' });
    await wrapper.completed({ reason: 'timeout', exit_code: 124 });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'timed_out', exit_code: 124 });
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'kill_progress')).toHaveLength(2);
  });

  test('a run that ended by itself first refuses it and keeps its own end', async () => {
    const who = newIdentity('kill-race');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'refused', exit_code: 0 }] });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded', exit_code: 0 });
  });

  test('a run that is named and over already refuses it at once', async () => {
    const who = newIdentity('kill-over');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    expect(await postKill(who.job, { run: who.run })).toMatchObject({
      state: 'settled',
      targets: [{ run: who.run, state: 'refused', exit_code: 0 }],
    });
  });

  test('two operators at once: both orders reach the wrapper, and both settle', async () => {
    const who = newIdentity('kill-twice');
    const wrapper = await TestWrapper.connect(who);
    const [first, second] = await Promise.all([
      postKill(who.job),
      postKill(who.job, { signal: 'SIGKILL', grace_seconds: 0 }),
    ]);
    await waitFor('both kills', () => wrapper.of('kill').length === 2);
    wrapper.killing(first.id, 'gone');
    wrapper.killing(second.id, 'gone');
    await wrapper.completed();
    expect((await getKill(first.id)).state).toBe('settled');
    expect((await getKill(second.id)).state).toBe('settled');
  });

  test('the same Idempotency-Key is the same kill; for another call it is refused', async () => {
    const who = newIdentity('kill-idempotent');
    const wrapper = await TestWrapper.connect(who);
    const key = { 'Idempotency-Key': 'once' };
    const first = await postKill(who.job, { reason: 'a' }, key);
    const again = await postKill(who.job, { reason: 'a' }, key);
    expect(again.id).toBe(first.id);
    const other = call('POST', `/jobs/${who.job}/kill`, { body: { reason: 'b' }, headers: key });
    expect(await refusal(other)).toBe('422 idempotency_conflict');
    await wrapper.settled();
    expect(wrapper.of('kill')).toHaveLength(1);
  });

  test('writes one audit entry, and none for a kill that was refused', async () => {
    const who = newIdentity('kill-audit');
    await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await call('POST', '/jobs/kill-audit-nobody/kill', { body: {} });
    const { results } = await env.DB.prepare(
      "SELECT actor, subject, detail FROM audit WHERE action = 'kill' AND subject LIKE 'kill-audit%'",
    ).all<{ actor: string; subject: string; detail: string }>();
    expect(results).toHaveLength(1);
    expect(JSON.parse(results[0]?.detail ?? '')).toMatchObject({ kill: id });
  });

  test('gets its answer from ?wait= when the time is up, settled or not', async () => {
    const who = newIdentity('kill-wait-ends');
    await TestWrapper.connect(who);
    expect((await call('POST', `/jobs/${who.job}/kill?wait=1`, { body: {} })).status).toBe(202);
  });

  test('goes to a run that ended out of reach as well: refused is an answer, silence is none', async () => {
    const who = newIdentity('kill-ended');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    const { id } = await postKill(who.job);
    const back = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await back.kill()).kill).toBe(id);
  });

  test('settles as lost when the wrapper died and only its spool comes back', async () => {
    const who = newIdentity('kill-abandoned');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    const { id } = await postKill(who.job);
    await TestWrapper.connect(who, { phase: 'abandoned' });
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'lost', exit_code: 253 }] });
  });

  test('without signal and grace ends each run by its own', async () => {
    const job = 'kill-own-manner';
    const own = (signal: string, grace_ms: number) => ({ limits: { timeout_ms: null, grace_ms, signal } });
    const [careful, plain, odd] = await Promise.all([
      TestWrapper.connect(newIdentity(job, 'careful'), own('SIGINT', 30_000)),
      // An old one, that tells only its grace.
      TestWrapper.connect(newIdentity(job, 'plain'), { limits: { timeout_ms: null, grace_ms: 7_000 } }),
      // A signal that no kill may name: only the wrapper itself may mean it.
      TestWrapper.connect(newIdentity(job, 'odd'), own('SIGWINCH', 1_000)),
    ]);
    const { id, signal, grace_ms } = await postKill(job);
    expect({ signal, grace_ms }).toEqual({ signal: null, grace_ms: null });
    expect(await careful.kill()).toMatchObject({ kill: id, signal: 'SIGINT', grace_ms: 30_000 });
    expect(await plain.kill()).toMatchObject({ kill: id, signal: 'SIGTERM', grace_ms: 7_000 });
    expect(await odd.kill()).toMatchObject({ kill: id, signal: null, grace_ms: 1_000 });
    expect(await run(job, careful.identity.run)).toMatchObject({ kill_signal: 'SIGINT', grace_ms: 30_000 });
    const requested = async (wrapper: TestWrapper) =>
      (await runEvents(job, wrapper.identity.run)).find(({ type }) => type === 'kill_requested');
    expect(await requested(careful)).toMatchObject({ signal: 'SIGINT', grace_ms: 30_000 });
    expect(await requested(odd)).toMatchObject({ signal: 'SIGWINCH', grace_ms: 1_000 });
    const ordered = await getKill(id);
    expect(ordered).toMatchObject({ signal: null, grace_ms: null });
    const signalOf = (wrapper: TestWrapper) =>
      ordered.targets.find((target) => target.run === wrapper.identity.run)?.signal;
    expect([careful, plain, odd].map(signalOf)).toEqual(['SIGINT', 'SIGTERM', 'SIGWINCH']);
  });

  test('that says one of the two leaves the other to the run', async () => {
    const who = newIdentity('kill-half-manner');
    const wrapper = await TestWrapper.connect(who, {
      limits: { timeout_ms: null, grace_ms: 30_000, signal: 'SIGINT' },
    });
    const kills = async () => wrapper.of('kill').map(({ signal, grace_ms }) => [signal, grace_ms]);
    await postKill(who.job, { grace_seconds: 0.5 });
    await postKill(who.job, { signal: 'SIGHUP' });
    expect(await waitFor('both', async () => (await kills()).length === 2 && kills())).toEqual([
      ['SIGINT', 500],
      ['SIGHUP', 30_000],
    ]);
  });

  test('knows the signal of a run that was here before its wrapper reported it', async () => {
    const who = newIdentity('kill-later-manner');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    const limits = { timeout_ms: null, grace_ms: 5_000, signal: 'SIGINT' };
    const wrapper = await TestWrapper.connect(who, { limits });
    await postKill(who.job);
    expect(await wrapper.kill()).toMatchObject({ signal: 'SIGINT' });
  });

  test('reports survivors without a pid: in its target, in the events, and in the index', async () => {
    const who = newIdentity('kill-unnamed');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    wrapper.say(killingMessage(id, 'gone', { survivors: [99], unnamed_survivors: true }));
    await wrapper.completed();
    const left = { survivors: [99], unnamed_survivors: true };
    expect((await getKill(id)).targets).toMatchObject([{ state: 'gone', ...left }]);
    const steps = await runEvents(who.job, who.run);
    expect(steps.find(({ type }) => type === 'kill_progress')).toMatchObject({
      type: 'kill_progress',
      phase: 'gone',
      ...left,
    });
  });

  test('of an old wrapper knows only the survivors that it names', async () => {
    const who = newIdentity('kill-unnamed-old');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    const { unnamed_survivors: _, ...old } = killingMessage(id, 'gone', { survivors: [99] });
    wrapper.raw(JSON.stringify(old));
    await wrapper.completed();
    expect((await getKill(id)).targets).toMatchObject([{ survivors: [99], unnamed_survivors: false }]);
  });

  test('learns from the completion what no step has reported', async () => {
    const who = newIdentity('kill-complete-applied');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    await wrapper.completed({
      applied_kills: [appliedKill(id, 'gone', { at_ms: 250, survivors: [77] })],
    });
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', survivors: [77] }] });
  });

  test('shows the run as being killed though the last step is the first that is heard', async () => {
    const who = newIdentity('kill-only-gone');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    wrapper.killing(id, 'gone');
    await wrapper.settled();
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killing' });
  });

  test('reports nothing of a run after its end', async () => {
    const who = newIdentity('kill-after-end');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ reason: 'timeout', exit_code: 124 });
    wrapper.say({
      type: 'killing',
      kill: null,
      reason: 'timeout',
      phase: 'gone',
      signal: null,
      at_ms: 50,
      survivors: [],
      unnamed_survivors: false,
    });
    await wrapper.settled();
    expect((await eventTypes(who.job, who.run)).at(-1)).toBe('ended');
  });

  test('finds a job that its object knows and D1 does not know yet', async () => {
    const who = newIdentity('kill-unindexed');
    await without(['runs'], async () => {
      const wrapper = await TestWrapper.connect(who);
      expect((await call('POST', `/jobs/${who.job}/kill`, { body: {} })).status).toBe(202);
      await wrapper.kill();
    });
  });

  test('at many runs updates viewers less often than once for each run', async () => {
    const job = 'kill-many';
    const count = 60;
    await Promise.all(
      Array.from({ length: count }, (_, index) => TestWrapper.connect(newIdentity(job, `machine${index}`))),
    );
    const viewer = await TestViewer.watch(`/jobs/${job}/watch`);
    const { id } = await postKill(job);
    await viewer.next(
      'kill',
      ({ kill: { id: told, targets } }) =>
        told === id && targets.length === count && targets.every(({ state }) => state === 'sent'),
    );
    expect(viewer.of('kill').length).toBeLessThan(count);
  });

  test('writes no audit entry for a repeat with the same key', async () => {
    const who = newIdentity('kill-repeat-audit');
    await TestWrapper.connect(who);
    const key = { 'Idempotency-Key': 'audit' };
    await postKill(who.job, {}, key);
    await postKill(who.job, {}, key);
    const { results } = await env.DB.prepare('SELECT 1 FROM audit WHERE subject = ?').bind(who.job).all();
    expect(results).toHaveLength(1);
  });
});

describe('a kill over time', () => {
  useFakeDate();

  test('does not put off the repeat of an unanswered one by being given again and again', async () => {
    const who = newIdentity('kill-clicks');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    for (let click = 0; click < 2; click++) {
      await pass(who.job, 2_000);
      await postKill(who.job);
    }
    await waitFor('the repeat', () => wrapper.of('kill').filter(({ kill }) => kill === id).length === 2);
  });

  test('is repeated on each new link of a wrapper that does not answer, before that is given up', async () => {
    const who = newIdentity('kill-new-link');
    const first = await TestWrapper.connect(who);
    await postKill(who.job);
    await first.kill();
    await pass(who.job, 3_001);
    await waitFor('the repeat', () => first.of('kill').length === 2);
    const second = await TestWrapper.connect(who);
    await second.kill();
    await pass(who.job, 3_001);
    await waitFor('the repeat on the new link', () => second.of('kill').length === 2);
    expect(second.closed).toBeNull();
  });

  test('is not waited for any more when the link is gone', async () => {
    const who = newIdentity('kill-link-gone');
    const wrapper = await TestWrapper.connect(who);
    await postKill(who.job);
    await wrapper.kill();
    await pass(who.job, 3_001);
    await waitFor('the repeat', () => wrapper.of('kill').length === 2);
    wrapper.close();
    await disconnected(who);
    await pass(who.job, 3_001);
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'disconnected')).toHaveLength(1);
  });

  test('stays pending while the only link is one that is being closed', async () => {
    const who = newIdentity('kill-closing');
    await TestWrapper.connectHalfOpen(who);
    await runInDurableObject(jobObject(who.job), (_object, state) => {
      for (const socket of state.getWebSockets()) socket.close(1011);
    });
    expect((await postKill(who.job)).targets).toMatchObject([{ state: 'pending' }]);
  });

  test('stays pending though a link that broke still looks open', async () => {
    const who = newIdentity('kill-looks-open');
    await TestWrapper.connectHalfOpen(who);
    await runInDurableObject(jobObject(who.job), (object, state) => {
      for (const socket of state.getWebSockets()) object.webSocketError(socket, new Error('reset'));
    });
    expect(await run(who.job, who.run)).toMatchObject({ connected: false });
    expect((await postKill(who.job)).targets).toMatchObject([{ state: 'pending' }]);
  });

  test('is not sent to a lost run that came back only to tell its end', async () => {
    const who = newIdentity('kill-lost-ended');
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, 30_001);
    const back = await TestWrapper.connect(who, { phase: 'ended' });
    expect((await postKill(who.job)).targets).toMatchObject([{ state: 'lost' }]);
    await back.settled();
    expect(back.of('kill')).toEqual([]);
  });

  test('in progress when its run is lost settles as lost, until the late end says how it went', async () => {
    const ends = [
      { reason: 'operator', exit_code: 143, command_exit_code: null, state: 'gone' },
      { reason: 'exited', exit_code: 0, command_exit_code: 0, state: 'refused' },
    ] as const;
    for (const { state, ...end } of ends) {
      const who = newIdentity(`kill-lost-${end.reason}`);
      const wrapper = await TestWrapper.connect(who);
      const { id } = await postKill(who.job);
      await wrapper.kill();
      wrapper.close();
      await disconnected(who);
      await pass(who.job, 30_001);
      expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'lost', exit_code: 253 }] });
      const late = await TestWrapper.connect(who, { phase: 'ended' });
      await late.completed({ ...end, signal: null });
      expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state, exit_code: end.exit_code }] });
    }
  });

  test('reaches a run that started within the skew of the clocks, and none that started after that', async () => {
    const who = newIdentity('kill-skew');
    await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await pass(who.job, 900);
    const near = await TestWrapper.connect(newIdentity(who.job), { age_ms: 0 });
    expect((await near.kill()).kill).toBe(id);
    await pass(who.job, 200);
    const after = await TestWrapper.connect(newIdentity(who.job), { age_ms: 0 });
    await after.settled();
    expect(after.of('kill')).toEqual([]);
  });

  test("has a key that is its token's own, is good for a day, and is then forgotten", async () => {
    const who = newIdentity('kill-key-age');
    await TestWrapper.connect(who);
    const { secret } = await newToken({ name: 'other', scopes: ['kill'] });
    const key = { 'Idempotency-Key': 'k1' };
    const first = await postKill(who.job, {}, key);
    const response = await call('POST', `/jobs/${who.job}/kill`, { token: secret, body: {}, headers: key });
    expect((await response.json<{ kill: { id: string } }>()).kill.id).not.toBe(first.id);
    vi.setSystemTime(Date.now() + 23 * 3_600_000);
    await sweep(env);
    expect((await postKill(who.job, {}, key)).id).toBe(first.id);
    vi.setSystemTime(Date.now() + 2 * 3_600_000);
    await sweep(env);
    expect((await postKill(who.job, {}, key)).id).not.toBe(first.id);
  });
});

describe('a kill that nobody was there for', () => {
  useFakeDate();

  test('of a job that was never seen is refused, unless the run or instance is named', async () => {
    expect(await refusal(call('POST', '/jobs/never-seen/kill', { body: {} }))).toBe('404 unknown_job');
    const who = newIdentity('never-seen');
    const { id, state } = await postKill(who.job, { run: who.run });
    expect(state).toBe('queued');
    const wrapper = await TestWrapper.connect(who, { age_ms: 60_000 });
    expect((await wrapper.kill()).kill).toBe(id);
  });

  test('does not make a job of a name that none has', async () => {
    const who = newIdentity('kill-typo');
    const { id } = await postKill(who.job, { instance: 'nightly' });
    await waitFor('the queue to be rid of it', () =>
      env.DB.prepare('SELECT 1 FROM kills WHERE id = ? AND accepted = 1').bind(id).first(),
    );
    expect(await refusal(call('GET', `/jobs/${who.job}`))).toBe('404 unknown_job');
    expect(await refusal(call('POST', `/jobs/${who.job}/kill`, { body: {} }))).toBe('404 unknown_job');
  });

  test('does not reach runs that start after it', async () => {
    const first = newIdentity('kill-later');
    await TestWrapper.connect(first);
    await postKill(first.job);
    await pass(first.job, 5_000);
    const later = await TestWrapper.connect(newIdentity(first.job), { age_ms: 10 });
    await later.settled();
    expect(later.of('kill')).toEqual([]);
  });

  test('reaches a run that started before it and connects late, even when all others have settled it', async () => {
    const known = newIdentity('kill-latecomer');
    const wrapper = await TestWrapper.connect(known);
    const { id } = await postKill(known.job);
    wrapper.killing(id, 'gone');
    await wrapper.completed();
    expect((await getKill(id)).state).toBe('settled');
    await pass(known.job, 60_000);
    const latecomer = await TestWrapper.connect(newIdentity(known.job), { age_ms: 120_000 });
    expect((await latecomer.kill()).kill).toBe(id);
    expect((await getKill(id)).state).toBe('delivered');
  });

  test('expires, and then reaches nobody', async () => {
    const who = newIdentity('kill-expires');
    const { id } = await postKill(who.job, { run: who.run });
    await pass(who.job, 600_001);
    expect((await getKill(id)).state).toBe('expired');
    const wrapper = await TestWrapper.connect(who, { age_ms: 900_000 });
    await wrapper.settled();
    expect(wrapper.of('kill')).toEqual([]);
  });

  test('unanswered, is sent again and then the link is given up', async () => {
    const who = newIdentity('kill-unanswered');
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    await wrapper.kill();
    await pass(who.job, 3_001);
    await waitFor('the repeat', () => wrapper.of('kill').length === 2);
    await pass(who.job, 3_001);
    expect((await wrapper.wasClosed()).code).toBe(4002);
    const back = await TestWrapper.connect(who);
    expect((await back.kill()).kill).toBe(id);
  });

  test('at a run that counts as lost settles, and is opened again when the run returns', async () => {
    const who = newIdentity('kill-lost');
    const wrapper = await TestWrapper.connect(who);
    wrapper.close();
    await disconnected(who);
    await pass(who.job, 30_001);
    const { id, state, targets } = await postKill(who.job);
    expect(state).toBe('settled');
    expect(targets).toMatchObject([{ state: 'lost', exit_code: 253 }]);
    const back = await TestWrapper.connect(who);
    expect((await back.kill()).kill).toBe(id);
    expect(await getKill(id)).toMatchObject({ state: 'queued', targets: [{ state: 'sent', exit_code: null }] });
  });
});

describe('a run that was lost and never came back', () => {
  useFakeDate();

  const DAY_MS = 24 * 3_600_000;

  async function lostFor(name: string, ms: number) {
    const who = newIdentity(name);
    (await TestWrapper.connect(who)).close();
    await disconnected(who);
    await pass(who.job, 30_001);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'lost' });
    await pass(who.job, ms - 30_001);
    return who;
  }

  test('is not a target of later kills of its job after a day', async () => {
    const who = await lostFor('kill-lost-day', DAY_MS + 1);
    expect(await postKill(who.job)).toMatchObject({ state: 'queued', targets: [] });
    expect(await postKill(who.job, { machine: who.machine })).toMatchObject({ state: 'queued', targets: [] });
  });

  test('is a target until then', async () => {
    const who = await lostFor('kill-lost-hours', DAY_MS - 1000);
    expect(await postKill(who.job)).toMatchObject({ state: 'settled', targets: [{ run: who.run, state: 'lost' }] });
  });

  test('is a target however old when it or its instance is named', async () => {
    const who = await lostFor('kill-lost-named', DAY_MS + 1);
    const lost = { state: 'settled', targets: [{ run: who.run, state: 'lost' }] };
    expect(await postKill(who.job, { run: who.run })).toMatchObject(lost);
    expect(await postKill(who.job, { instance: who.instance })).toMatchObject(lost);
  });

  test('gets the kill when it returns after all while that still looks for runs', async () => {
    const who = await lostFor('kill-lost-back', DAY_MS + 1);
    const { id } = await postKill(who.job);
    await pass(who.job, 60_000);
    const back = await TestWrapper.connect(who);
    expect((await back.kill()).kill).toBe(id);
  });
});

describe('what a returning run repeats', () => {
  useFakeDate();

  async function lose(wrapper: TestWrapper): Promise<void> {
    wrapper.close();
    await disconnected(wrapper.identity);
    await pass(wrapper.identity.job, 30_001);
  }

  test.each([
    ['term', 'SIGTERM'],
    ['gone', null],
  ] as const)('is not a second step, and its run is being killed as before (%s)', async (phase, signal) => {
    const who = newIdentity(`kill-repeated-${phase}`);
    const wrapper = await TestWrapper.connect(who);
    const { id } = await postKill(who.job);
    wrapper.killing(id, phase);
    await wrapper.settled();
    await lose(wrapper);
    const applied = { kill: id, phase, signal, at_ms: 200, survivors: [], unnamed_survivors: false };
    const back = await TestWrapper.connect(who, { applied_kills: [applied] });
    await back.settled();
    expect(await run(who.job, who.run)).toMatchObject({ state: 'killing' });
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'kill_progress')).toHaveLength(1);
  });

  test('is not a second step even when its time had to be cut to the present', async () => {
    const who = newIdentity('kill-clamped');
    const wrapper = await TestWrapper.connect(who);
    const step = { type: 'killing', kill: null, reason: 'timeout', signal: 'SIGTERM', phase: 'term' } as const;
    wrapper.say({ ...step, at_ms: 600_000, survivors: [], unnamed_survivors: false });
    await wrapper.settled();
    await pass(who.job, 5_000);
    wrapper.say({ ...step, at_ms: 600_000, survivors: [], unnamed_survivors: false });
    await wrapper.settled();
    expect((await eventTypes(who.job, who.run)).filter((type) => type === 'kill_progress')).toHaveLength(1);
  });

  test('an answer to one kill is none to another: that one is sent again', async () => {
    const who = newIdentity('kill-half-answered');
    const wrapper = await TestWrapper.connect(who);
    const [answered, unanswered] = [await postKill(who.job), await postKill(who.job)];
    await waitFor('both kills', () => wrapper.of('kill').length === 2);
    wrapper.killing(answered.id, 'term');
    await wrapper.settled();
    await pass(who.job, 3_001);
    await waitFor('the repeat', () => wrapper.of('kill').length === 3);
    expect(wrapper.of('kill').at(-1)?.kill).toBe(unanswered.id);
  });
});
