/** When a link dials, and when it does not, with the clock and the network in the test's hands. */
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ObjectMessage } from '#protocol/wrapper-link';
import type { ConnectionEnd, Handlers } from '../../src/link/dial.ts';
import { linkTo } from '../support/dialling.ts';

/** The attempts, in order. */
const dialled = vi.hoisted((): Attempt[] => []);

interface Attempt {
  readonly handlers: Handlers;
  readonly at: number;
  readonly disconnectedMs: number | null;
}

// The files of a worker share their modules: those that are mocked here are loaded for this file, and again for the next.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

// The global one is what fake timers replace.
vi.mock('node:perf_hooks', () => ({ performance: { now: () => globalThis.performance.now() } }));
vi.mock('../../src/link/dial.ts', async (original) => ({
  ...(await original<typeof import('../../src/link/dial.ts')>()),
  dial: (_address: unknown, handlers: Handlers, _budget: unknown, disconnectedMs: number | null) => {
    dialled.push({ handlers, at: performance.now(), disconnectedMs });
    const end = (why: string) => handlers.ended({ kind: 'lost', why });
    return { send() {}, sendOutput() {}, close: () => end('closed'), terminate: end };
  },
}));

beforeEach(() => {
  vi.useFakeTimers();
  dialled.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const BASE_URL = 'ws://127.0.0.1:1';
const LOST: ConnectionEnd = { kind: 'lost', why: 'cut' };

function last(): Handlers {
  const attempt = dialled.at(-1);
  if (attempt === undefined) throw new Error('nobody has dialled');
  return attempt.handlers;
}

function say(handlers: Handlers, message: ObjectMessage): void {
  handlers.text(JSON.stringify(message));
}

/** The attempt succeeds, and the object takes the run. */
function accept(handlers = last()): void {
  handlers.opened();
  const terms = { flow: 'lazy', heartbeat_ms: 5_000, silence_ms: 15_000, reconnect_cap_ms: 10_000 } as const;
  say(handlers, { type: 'ack', of: 'start', offset: 0, ...terms });
}

/** Waits for the next attempt; returns after how long it came. */
async function pauseBeforeNext(): Promise<number> {
  const since = performance.now();
  const before = dialled.length;
  while (dialled.length === before) await vi.advanceTimersToNextTimerAsync();
  return (dialled.at(-1)?.at ?? 0) - since;
}

test('forty links that are cut at the same moment come back spread over a second', async () => {
  const links = Array.from({ length: 40 }, () => linkTo({ baseUrl: BASE_URL }));
  const attempts = dialled.splice(0);
  for (const { handlers } of attempts) accept(handlers);
  expect(links.every(({ link }) => link.state === 'connected')).toBe(true);
  const cutAt = performance.now();
  for (const { handlers } of attempts) handlers.ended(LOST);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(dialled).toHaveLength(40);
  const pauses = dialled.map(({ at }) => at - cutAt);
  expect(Math.max(...pauses) - Math.min(...pauses)).toBeGreaterThan(300);
});

test('a control plane that accepts and cuts us off again and again is asked less and less often', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  linkTo({ baseUrl: BASE_URL });
  const pauses: number[] = [];
  for (let cut = 0; cut < 6; cut += 1) {
    accept();
    last().ended(LOST);
    pauses.push(await pauseBeforeNext());
  }
  expect(pauses).toEqual([500, 500, 500, 1_000, 2_000, 4_000]);
});

test('a connection that lasted is followed by a short pause again', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  linkTo({ baseUrl: BASE_URL });
  for (let cut = 0; cut < 6; cut += 1) {
    accept();
    last().ended(LOST);
    await pauseBeforeNext();
  }
  accept();
  await vi.advanceTimersByTimeAsync(5_000);
  last().ended(LOST);
  expect(await pauseBeforeNext()).toBe(500);
});

const busy = (pauseMs: number): ConnectionEnd => ({ kind: 'busy', why: 'many wrappers are connecting', pauseMs });

test('a busy control plane is asked again when it says, which is no failure', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const { link, warnings } = linkTo({ baseUrl: BASE_URL });
  for (const pauseMs of [3_000, 400, 400, 400]) {
    last().ended(busy(pauseMs));
    expect(link.state).toBe('connecting');
    expect(await pauseBeforeNext()).toBeCloseTo(1.05 * pauseMs);
  }
  // The pauses after a failure begin with the shortest.
  last().ended(LOST);
  expect(await pauseBeforeNext()).toBe(125);
  expect(warnings).toEqual([]);
});

test('a busy control plane can make nobody wait for longer than the longest pause, nor ask at once', async () => {
  linkTo({ baseUrl: BASE_URL });
  last().ended(busy(3_600_000));
  expect(await pauseBeforeNext()).toBeLessThanOrEqual(11_000);
  last().ended(busy(0));
  expect(await pauseBeforeNext()).toBeGreaterThanOrEqual(100);
});

test('a run that ends meanwhile waits for the time that a busy control plane has named', async () => {
  const { link } = linkTo({ baseUrl: BASE_URL });
  last().ended(busy(2_000));
  link.completed();
  expect(dialled).toHaveLength(1);
  expect(await pauseBeforeNext()).toBeGreaterThanOrEqual(2_000);
});

test('an attempt says for how long the run has been disconnected, once it was connected', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  linkTo({ baseUrl: BASE_URL });
  last().ended(LOST);
  await pauseBeforeNext();
  expect(dialled.map(({ disconnectedMs }) => disconnectedMs)).toEqual([null, null]);
  accept();
  last().ended(LOST);
  await pauseBeforeNext();
  last().ended(busy(1_000));
  await pauseBeforeNext();
  expect(dialled.slice(2).map(({ disconnectedMs }) => disconnectedMs)).toEqual([500, 1_550]);
});

test('a refusal is reported once, and retried at a person’s pace', async () => {
  const { link, warnings } = linkTo({ baseUrl: BASE_URL });
  for (let refusal = 0; refusal < 3; refusal += 1) {
    last().ended({ kind: 'refused', why: 'the token is wrong (401)' });
    expect(link.state).toBe('refused');
    const pause = await pauseBeforeNext();
    expect(pause).toBeGreaterThanOrEqual(30_000);
    expect(pause).toBeLessThanOrEqual(60_001);
  }
  expect(warnings).toEqual(['not supervised: the token is wrong (401); the command keeps running']);
});

test.each([
  [
    'an error with `retry: never`',
    () => say(last(), { type: 'error', code: 'run_conflict', message: '', retry: 'never' }),
  ],
  ['the close code 4409', () => last().ended({ kind: 'rejected', why: 'the run id belongs to another wrapper' })],
])('after %s nobody dials again, not even when the run ends', async (_what, reject) => {
  const { link, warnings } = linkTo({ baseUrl: BASE_URL });
  last().opened();
  reject();
  expect(link.state).toBe('rejected');
  expect(warnings).toEqual([expect.stringContaining('the command keeps running')]);
  link.completed();
  await vi.advanceTimersByTimeAsync(24 * 60 * 60 * 1_000);
  expect(dialled).toHaveLength(1);
});

test('a first attempt, and one after a connection, differs from those that follow a failure', async () => {
  const { link } = linkTo({ baseUrl: BASE_URL });
  const begun = link.unreachableSince;
  expect(link.state).toBe('connecting');
  last().ended(LOST);
  expect(link.state).toBe('offline');
  await pauseBeforeNext();
  expect(link.state).toBe('offline');
  expect(link.unreachableSince).toBe(begun);
  accept();
  expect(link.state).toBe('connected');
  expect(link.unreachableSince).toBeNull();
  await vi.advanceTimersByTimeAsync(1_000);
  last().ended(LOST);
  expect(link.state).toBe('connecting');
});

test('a silent control plane is hung up on, and counts as out of reach since its last sign of life', async () => {
  const { link } = linkTo({ baseUrl: BASE_URL });
  accept();
  await vi.advanceTimersByTimeAsync(4_000);
  last().text('hb');
  const heardAt = performance.now();
  await vi.advanceTimersByTimeAsync(14_999);
  expect(link.state).toBe('connected');
  await vi.advanceTimersByTimeAsync(1);
  expect(link.state).toBe('connecting');
  expect(link.unreachableSince).toBe(heardAt);
});

test('a run that ends between two attempts dials at once', () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.99);
  const { link } = linkTo({ baseUrl: BASE_URL });
  accept();
  last().ended(LOST);
  link.completed();
  expect(dialled).toHaveLength(2);
});

test.each([
  ['an error with `retry: yes`', 'yes', 0],
  ['an error with `retry: later`', 'later', 500],
] as const)('after %s it dials after the pause that fits', async (_what, retry, pauseMs) => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  linkTo({ baseUrl: BASE_URL });
  accept();
  say(last(), { type: 'error', code: 'internal', message: '', retry });
  expect(await pauseBeforeNext()).toBe(pauseMs);
});
