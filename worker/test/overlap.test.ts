/** Runs that ask before their start: who starts, who waits, who is skipped, and in which order. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { expect, test, vi } from 'vitest';
import type { Overlap, OverlapScope } from '#protocol/admission';
import type { RunEvent } from '#protocol/api';
import type { Brake } from '#protocol/brakes';
import { waitFor } from '#testing/wait-for';
import { call, postKill } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';
import {
  disconnected,
  eventTypes,
  hibernate,
  isOutboxEmpty,
  jobObject,
  restart,
  run,
  runEvents,
  withoutObject,
} from './support/objects.ts';
import { EXITED, type Identity, newIdentity, TestWrapper } from './support/wrapper.ts';

useFakeDate();

const question = (overlap: Overlap, scope: OverlapScope = 'job') => ({ overlap, scope });
const asking = (overlap: Overlap, scope: OverlapScope = 'job') =>
  ({ phase: 'waiting', pid: null, age_ms: 0, question: question(overlap, scope) }) as const;
const SKIPPED = { exit_code: 75, command_exit_code: null, signal: null, reason: 'overlap', duration_ms: 0 } as const;

/** A wrapper that has asked. Each asks a moment after the one before. */
async function ask(job: string, overlap: Overlap, { machine = 'web1', scope = 'job' as OverlapScope } = {}) {
  vi.setSystemTime(Date.now() + 10);
  return TestWrapper.connect(newIdentity(job, machine), asking(overlap, scope));
}

/** The command was started, as the wrapper was told. */
async function begin(wrapper: TestWrapper, ageMs = 0): Promise<void> {
  wrapper.start({ phase: 'running', age_ms: ageMs });
  await wrapper.settled();
}

async function startedRun(job: string, overlap: Overlap, options?: { machine?: string; scope?: OverlapScope }) {
  const wrapper = await ask(job, overlap, options);
  await wrapper.answer('start');
  await begin(wrapper);
  return wrapper;
}

const stored = async ({ job, run: id }: Identity) => {
  const found = await run(job, id);
  if (found === null) throw new Error(`there is no run ${id}`);
  return found;
};

async function event<Type extends RunEvent['type']>({ job, run: id }: Identity, type: Type) {
  const events = await runEvents(job, id);
  return events.filter((one): one is Extract<RunEvent, { type: Type }> => one.type === type);
}

async function passDeadline(job: string, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(jobObject(job));
}

test('a run that asks and has nothing in its way starts, with a fence that rises', async () => {
  const first = await ask('ask-first', 'skip');
  const { fence } = await first.answer('start');
  expect(fence).toBeGreaterThanOrEqual(1);
  expect(await stored(first.identity)).toMatchObject({ state: 'waiting', fence, pid: null });
  await begin(first);
  expect(await stored(first.identity)).toMatchObject({ state: 'running', fence, pid: 4242 });
  await first.completed(EXITED);
  const second = await ask('ask-first', 'skip');
  expect((await second.answer('start')).fence).toBeGreaterThan(fence ?? 0);
  expect(await eventTypes('ask-first', first.identity.run)).toEqual([
    'asked',
    'connected',
    'admitted',
    'started',
    'ended',
  ]);
});

test('skip: it does not start, and says what it would have overlapped with', async () => {
  const holder = await startedRun('ask-skip', 'skip');
  const skipped = await ask('ask-skip', 'skip', { machine: 'web2' });
  const answer = await skipped.answer('skip');
  expect(answer).toMatchObject({
    reason: 'overlap',
    fence: null,
    blocked_by: [{ run: holder.identity.run, machine: 'web1' }],
  });
  await skipped.completed(SKIPPED);
  expect(await stored(skipped.identity)).toMatchObject({
    state: 'skipped',
    final: true,
    exit_code: 75,
    reason: 'overlap',
    fence: null,
    blocked_by: answer.blocked_by,
  });
  expect(await event(skipped.identity, 'skipped')).toMatchObject([
    { reason: 'overlap', blocked_by: answer.blocked_by },
  ]);
  expect(await event(skipped.identity, 'started')).toEqual([]);
});

test('the exit code of a skipped run is its wrapper’s own', async () => {
  await startedRun('ask-exit', 'skip');
  const skipped = await ask('ask-exit', 'skip');
  await skipped.answer('skip');
  await skipped.completed({ ...SKIPPED, exit_code: 0 });
  expect(await stored(skipped.identity)).toMatchObject({ state: 'skipped', exit_code: 0 });
});

test('a run that never asked is in the way as well, and so is one that was told to start', async () => {
  const old = await TestWrapper.connect(newIdentity('ask-old'));
  await (await ask('ask-old', 'skip')).answer('skip');
  await old.completed(EXITED);
  const told = await ask('ask-old', 'skip');
  await told.answer('start');
  await (await ask('ask-old', 'skip')).answer('skip');
});

test('the scope is the job, or the machine', async () => {
  await startedRun('ask-scope', 'skip', { scope: 'machine' });
  await (await ask('ask-scope', 'skip', { scope: 'machine' })).answer('skip');
  await (await ask('ask-scope', 'skip', { machine: 'web2', scope: 'machine' })).answer('start');
  await (await ask('ask-scope', 'skip', { machine: 'web3', scope: 'job' })).answer('skip');
});

test('allow: it starts beside others', async () => {
  await startedRun('ask-allow', 'skip');
  await (await ask('ask-allow', 'allow')).answer('start');
});

test('wait: they start in the order in which they asked, each when the one before has ended', async () => {
  const holder = await startedRun('ask-wait', 'wait');
  const waiting = [
    await ask('ask-wait', 'wait'),
    await ask('ask-wait', 'wait', { machine: 'web2' }),
    await ask('ask-wait', 'wait'),
  ];
  let before = holder;
  for (const wrapper of waiting) {
    // Each waits for the one in front of it: nothing changes for it until its turn comes.
    expect((await wrapper.answer('wait')).blocked_by.map(({ run: id }) => id)).toEqual([before.identity.run]);
    before = wrapper;
  }
  before = holder;
  for (const wrapper of waiting) {
    await before.completed(EXITED);
    await wrapper.answer('start');
    await begin(wrapper);
    before = wrapper;
  }
  for (const wrapper of waiting) expect(wrapper.of('answer')).toHaveLength(2);
});

test('one that leaves the line makes room for those behind it', async () => {
  const holder = await startedRun('ask-leave', 'wait');
  const first = await ask('ask-leave', 'wait');
  const second = await ask('ask-leave', 'wait');
  await second.answer('wait');
  await first.completed(SKIPPED);
  await waitFor('the answer to change', () => second.of('answer').length === 2);
  expect(second.of('answer').at(-1)?.blocked_by).toMatchObject([{ run: holder.identity.run }]);
  await holder.completed(EXITED);
  await second.answer('start');
});

test('a run starts when it was told to, not when it asked', async () => {
  const holder = await startedRun('ask-started', 'wait');
  const waiting = await ask('ask-started', 'wait');
  const askedAt = new Date().toISOString();
  expect(await stored(waiting.identity)).toMatchObject({ started_at: askedAt, asked_at: askedAt });
  vi.setSystemTime(Date.now() + 60_000);
  await holder.completed(EXITED);
  await waiting.answer('start');
  vi.setSystemTime(Date.now() + 500);
  await begin(waiting, 200);
  const startedAt = new Date(Date.now() - 200).toISOString();
  expect(await stored(waiting.identity)).toMatchObject({ started_at: startedAt, asked_at: askedAt });
});

test('asking again gives the same answer', async () => {
  const holder = await startedRun('ask-again', 'wait');
  const skipped = await ask('ask-again', 'skip');
  const waiting = await ask('ask-again', 'wait');
  await skipped.answer('skip');
  await waiting.answer('wait');
  await holder.completed(EXITED);
  const { fence } = await waiting.answer('start');
  const again = async ({ identity }: TestWrapper, overlap: Overlap) => TestWrapper.connect(identity, asking(overlap));
  expect((await (await again(waiting, 'wait')).answer('start')).fence).toBe(fence);
  await (await again(skipped, 'skip')).answer('skip');
  await hibernate('ask-again');
  expect((await (await again(waiting, 'wait')).answer('start')).fence).toBe(fence);
  await restart('ask-again');
  expect((await (await again(waiting, 'wait')).answer('start')).fence).toBe(fence);
  await (await again(skipped, 'skip')).answer('skip');
});

test('an object that was evicted goes on where it was', async () => {
  const holder = await startedRun('ask-evicted', 'wait');
  const waiting = await ask('ask-evicted', 'wait');
  await waiting.answer('wait');
  await hibernate('ask-evicted');
  await holder.completed(EXITED);
  await waiting.answer('start');
});

test('who is out of reach when its turn comes keeps its place, and lets others go first', async () => {
  const holder = await startedRun('ask-away', 'wait');
  const away = await ask('ask-away', 'wait');
  const next = await ask('ask-away', 'wait');
  const last = await ask('ask-away', 'wait');
  away.close();
  await disconnected(away.identity);
  await holder.completed(EXITED);
  await next.answer('start');
  await begin(next);
  const back = await TestWrapper.connect(away.identity, asking('wait'));
  expect((await back.answer('wait')).blocked_by).toMatchObject([{ run: next.identity.run }]);
  await next.completed(EXITED);
  await back.answer('start');
  expect(last.of('answer').map(({ decision }) => decision)).not.toContain('start');
});

test('a wrapper that dies before it starts its command keeps nobody waiting for longer than any other', async () => {
  const dead = await ask('ask-dead', 'wait');
  await dead.answer('start');
  const next = await ask('ask-dead', 'wait');
  await next.answer('wait');
  dead.close();
  await disconnected(dead.identity);
  expect(next.of('answer')).toHaveLength(1);
  await passDeadline('ask-dead', 30_001);
  expect(await stored(dead.identity)).toMatchObject({ state: 'lost' });
  await next.answer('start');
  // It has started nothing, and comes back: it has to wait its turn, by a new fence.
  const back = await TestWrapper.connect(dead.identity, asking('wait'));
  await back.answer('wait');
  expect(await stored(dead.identity)).toMatchObject({ state: 'waiting', fence: null });
});

test('a lost run is in the way until it is judged lost; if it returns both run, and that stays visible', async () => {
  const lost = await startedRun('ask-lost', 'wait');
  lost.close();
  await disconnected(lost.identity);
  const next = await ask('ask-lost', 'wait');
  await next.answer('wait');
  await passDeadline('ask-lost', 30_001);
  await next.answer('start');
  await begin(next);
  const back = await TestWrapper.connect(lost.identity, { phase: 'running', age_ms: 40_000 });
  await back.settled();
  expect(await event(lost.identity, 'overlapped')).toMatchObject([{ runs: [{ run: next.identity.run }] }]);
  expect(await event(next.identity, 'overlapped')).toMatchObject([{ runs: [{ run: lost.identity.run }] }]);
});

test('who starts without asking beside a run that wanted to be alone is recorded there', async () => {
  const alone = await startedRun('ask-beside', 'skip');
  const beside = await TestWrapper.connect(newIdentity('ask-beside', 'web2'));
  await beside.settled();
  expect(await event(alone.identity, 'overlapped')).toMatchObject([
    { runs: [{ run: beside.identity.run, machine: 'web2' }] },
  ]);
  expect(await event(beside.identity, 'overlapped')).toEqual([]);
});

test('who is told to start, alone on its machine, is recorded where a run wanted to be alone in the job', async () => {
  const alone = await startedRun('ask-scopes', 'skip', { machine: 'web1' });
  const beside = await startedRun('ask-scopes', 'skip', { machine: 'web2', scope: 'machine' });
  expect(await event(alone.identity, 'overlapped')).toMatchObject([{ runs: [{ run: beside.identity.run }] }]);
  expect(await event(beside.identity, 'overlapped')).toEqual([]);
});

test('a run that could not ask in time and started says what it overlaps with', async () => {
  const alone = await TestWrapper.connect(newIdentity('ask-late'));
  const late = await TestWrapper.connect(newIdentity('ask-late'), { question: question('skip') });
  await late.settled();
  expect(await event(late.identity, 'overlapped')).toMatchObject([{ runs: [{ run: alone.identity.run }] }]);
});

test('a run that was skipped without being heard is recorded as that', async () => {
  const who = newIdentity('ask-unheard');
  const wrapper = await TestWrapper.connect(who, { ...asking('skip'), phase: 'ended' });
  await wrapper.completed({ ...SKIPPED, reason: 'unreachable' });
  expect(await stored(who)).toMatchObject({ state: 'skipped', reason: 'unreachable', exit_code: 75 });
  expect(await eventTypes(who.job, who.run)).toEqual(['asked', 'connected', 'ended']);
});

test('kill-old: what was there before is killed by an ordinary kill, and then it starts', async () => {
  const old = await startedRun('ask-replace', 'skip');
  const unasked = await TestWrapper.connect(newIdentity('ask-replace', 'web2'));
  const next = await ask('ask-replace', 'kill-old', { machine: 'web3' });
  expect((await next.answer('wait')).blocked_by).toHaveLength(2);
  const kills = [await old.kill(), await unasked.kill()];
  expect(kills[0]).toMatchObject({
    requested_by: `run ${next.identity.run} on web3`,
    signal: 'SIGTERM',
    grace_ms: 5000,
  });
  // Asking again makes no other kill.
  const again = await TestWrapper.connect(next.identity, asking('kill-old'));
  await again.answer('wait');
  for (const [index, wrapper] of [old, unasked].entries()) {
    expect(wrapper.of('kill')).toHaveLength(1);
    wrapper.killing(kills[index]?.kill ?? '', 'term');
    await wrapper.completed();
  }
  await again.answer('start');
  expect(await stored(old.identity)).toMatchObject({ state: 'killed', exit_code: 143, reason: 'operator' });
  await waitFor('D1 to have everything', () => isOutboxEmpty('ask-replace'));
  const { results } = await env.DB.prepare("SELECT actor_name, detail FROM audit WHERE subject = 'ask-replace'").all<{
    actor_name: string;
    detail: string;
  }>();
  expect(results.map(({ actor_name }) => actor_name)).toEqual([1, 2].map(() => `run ${next.identity.run} on web3`));
  for (const { detail } of results) expect(JSON.parse(detail)).toMatchObject({ by_run: next.identity.run });
  const stored_ = await env.DB.prepare("SELECT count(*) AS n FROM kills WHERE job = 'ask-replace'").first<{
    n: number;
  }>();
  expect(stored_?.n).toBe(2);
});

test('kill-old kills nothing that is newer than itself: it waits for that', async () => {
  const old = await startedRun('ask-newer', 'skip');
  const waiting = await ask('ask-newer', 'kill-old');
  await waiting.answer('wait');
  await old.kill();
  vi.setSystemTime(Date.now() + 10);
  const newer = await TestWrapper.connect(newIdentity('ask-newer'), { age_ms: 0 });
  await old.completed();
  await newer.settled();
  expect(newer.of('kill')).toEqual([]);
  expect(waiting.of('answer').map(({ decision }) => decision)).not.toContain('start');
  await newer.completed(EXITED);
  await waiting.answer('start');
});

test('a run that is killed while it waits never starts', async () => {
  const holder = await startedRun('ask-killed', 'wait');
  const waiting = await ask('ask-killed', 'wait');
  const next = await ask('ask-killed', 'wait');
  await next.answer('wait');
  const { id } = await postKill('ask-killed', { run: waiting.identity.run });
  await waiting.kill();
  await holder.completed(EXITED);
  await next.answer('start');
  expect(waiting.of('answer').map(({ decision }) => decision)).not.toContain('start');
  waiting.killing(id, 'gone');
  await waiting.completed({ duration_ms: 0 });
  expect(await stored(waiting.identity)).toMatchObject({ state: 'killed', exit_code: 143, pid: null });
  expect(await event(waiting.identity, 'started')).toEqual([]);
});

test('a kill that was requested while it waited applies to it when it has started', async () => {
  const holder = await startedRun('ask-kill-queued', 'wait');
  const waiting = await ask('ask-kill-queued', 'wait');
  await waiting.answer('wait');
  let queued = '';
  await withoutObject('ask-kill-queued', async () => {
    queued = (await postKill('ask-kill-queued', {})).id;
  });
  vi.setSystemTime(Date.now() + 10_000);
  await holder.completed(EXITED);
  await waiting.answer('start');
  await begin(waiting);
  await runInDurableObject(jobObject('ask-kill-queued'), (object) => object.reconcile());
  expect((await waiting.kill()).kill).toBe(queued);
});

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

async function setOrder(job: string, kill: boolean) {
  const body = { jobs: [job], until: inAnHour(), kill, reason: 'patching' };
  const response = await call('POST', '/brakes', { body });
  expect(response.status).toBe(201);
  return (await response.json<{ brake: Brake }>()).brake;
}

test.each([
  ['maintenance', false],
  ['brake', true],
] as const)('during %s a run that asks is skipped, whatever it asks for', async (reason, kill) => {
  const job = `ask-${reason}`;
  await setOrder(job, kill);
  for (const overlap of ['allow', 'wait'] as const) {
    const skipped = await ask(job, overlap);
    const { detail } = await skipped.answer('skip');
    expect(detail).toMatch(new RegExp(`^${reason} by admin until .*: patching$`));
    await skipped.completed({ ...SKIPPED, reason });
    expect(await stored(skipped.identity)).toMatchObject({ state: 'skipped', reason });
  }
});

test('maintenance that begins while a run waits keeps it from starting, and leaves what runs alone', async () => {
  const holder = await startedRun('ask-maintained', 'wait');
  const waiting = await ask('ask-maintained', 'wait');
  await waiting.answer('wait');
  await waitFor('D1 to have everything', () => isOutboxEmpty('ask-maintained'));
  await setOrder('ask-maintained', false);
  expect(await waiting.answer('skip')).toMatchObject({ reason: 'maintenance' });
  await holder.settled();
  expect(holder.of('kill')).toEqual([]);
});

test('a brake ends a run that waits, too', async () => {
  await startedRun('ask-braked', 'wait');
  const waiting = await ask('ask-braked', 'wait');
  await waiting.answer('wait');
  await waitFor('D1 to have everything', () => isOutboxEmpty('ask-braked'));
  await setOrder('ask-braked', true);
  expect(await waiting.kill()).toMatchObject({ reason: 'brake: patching' });
});
