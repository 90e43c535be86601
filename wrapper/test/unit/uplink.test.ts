import { afterAll, afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Link, LinkEvents, LinkState } from '../../src/link/link.ts';
import { type Unreported, Uplink } from '../../src/link/uplink.ts';

// The files of a worker share their modules: those that are mocked here are loaded for this file, and again for the next.
vi.hoisted(() => vi.resetModules());
afterAll(() => vi.resetModules());

// The global one is what fake timers replace.
vi.mock('node:perf_hooks', () => ({ performance: { now: () => globalThis.performance.now() } }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** An uplink over a link that is in whatever state the test says. */
async function uplink() {
  const link = {
    state: 'connecting' as LinkState,
    lastFailure: null as string | null,
    unreachableSince: performance.now() as number | null,
    giveUp: () => {},
    completed: () => {},
    close: async () => {},
  };
  const warnings: string[] = [];
  let events: LinkEvents | null = null;
  const made = new Uplink(
    async (its) => {
      events = its;
      return link as unknown as Link;
    },
    () => {},
    { warn: (line) => warnings.push(line), info: () => {} },
  );
  await vi.advanceTimersByTimeAsync(0);
  const enter = (state: LinkState, lastFailure: string | null = null) => {
    Object.assign(link, {
      state,
      lastFailure,
      unreachableSince: state === 'connected' ? null : (link.unreachableSince ?? performance.now()),
    });
    events?.changed();
  };
  return { made, enter, warnings };
}

test('an outage is reported when it has lasted for a minute, once', async () => {
  const { enter, warnings } = await uplink();
  enter('offline', 'connect ECONNREFUSED');
  await vi.advanceTimersByTimeAsync(59_000);
  enter('offline', 'connect ECONNREFUSED');
  expect(warnings).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/unreachable for 1m \(connect ECONNREFUSED\); the command keeps running/);
  enter('offline', 'connect ECONNREFUSED');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(warnings).toHaveLength(1);
});

test('each outage is one, and a hiccup is none', async () => {
  const { enter, warnings } = await uplink();
  for (const seconds of [30, 90, 30, 90]) {
    enter('connected');
    await vi.advanceTimersByTimeAsync(1_000);
    enter('connecting', 'closed');
    await vi.advanceTimersByTimeAsync(seconds * 1_000);
  }
  expect(warnings).toHaveLength(2);
});

test('a refusal is reported by the link, and not again at the end of the run', async () => {
  const refused = await uplink();
  refused.enter('refused', 'unknown token');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(refused.warnings).toEqual([]);
  const over = await uplink();
  over.enter('offline', 'connect ECONNREFUSED');
  await vi.advanceTimersByTimeAsync(59_500);
  const drained = over.made.drain(Promise.resolve(false), () => 0);
  over.enter('offline', 'connect ECONNREFUSED');
  await vi.advanceTimersByTimeAsync(60_000);
  await drained;
  expect(over.warnings).toEqual([]);
});

test('a control plane that answers is not given up because this machine is so busy that we get no turn', async () => {
  const { made, enter } = await uplink();
  let unreported: Unreported | null | undefined;
  void made
    .drain(Promise.resolve(true), () => 5)
    .then((result) => {
      unreported = result;
    });
  // Each turn comes a second late.
  const clock = performance.now.bind(performance);
  let lateMs = 0;
  const now = vi.spyOn(performance, 'now').mockImplementation(() => clock() + lateMs);
  onTestFinished(() => now.mockRestore());
  for (let turn = 0; turn < 20; turn += 1) {
    lateMs += 1_000;
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(unreported).toBeUndefined();
  enter('connected');
  enter('all_stored');
  await vi.advanceTimersByTimeAsync(0);
  expect(unreported).toBeNull();
});

test('a fault of ours counts as out of reach from then on, not from the start', async () => {
  const { made, enter } = await uplink();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(made.offlineForMs).toBe(1_000);
  enter('connected');
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(made.offlineForMs).toBeNull();
  made.fail(new Error('boom'));
  await vi.advanceTimersByTimeAsync(2_000);
  expect(made.offlineForMs).toBe(2_000);
});

test('a link that is there only after a fault of ours is given up at once', async () => {
  const gaveUp: string[] = [];
  let opened = (_link: Link): void => {};
  const made = new Uplink(
    () =>
      new Promise((resolve) => {
        opened = resolve;
      }),
    () => {},
    { warn: () => {}, info: () => {} },
  );
  made.fail(new Error('boom'));
  opened({ giveUp: (why: string) => gaveUp.push(why) } as unknown as Link);
  await vi.advanceTimersByTimeAsync(0);
  expect(gaveUp).toEqual(['the wrapper failed: boom']);
});
