/** What a run's processes took, added up from looks at processes that are made up. */
import perfHooks from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Usage } from '#protocol/usage';
import type { KnownProcess } from '../../src/processes/process-tree.ts';
import { MemoryGauge } from '../../src/usage/memory-gauge.ts';
import {
  type Amounts,
  NOTHING_USED,
  type ProcessFigures,
  parseFigures,
  parseIo,
} from '../../src/usage/process-figures.ts';
import { minus, plus, Tally } from '../../src/usage/tally.ts';
import { type UsageLimit, UsageMeter, type UsageMeterContext, type UsageReader } from '../../src/usage/usage-meter.ts';
import { silent } from '../support/silent-log.ts';

const MIB = 1024 * 1024;

test('figures are read after a name that holds anything, parentheses and spaces too', () => {
  const stat = `42 (a) R (b) 1) S 7 42 42 0 -1 4194304 101 0 0 0 150 50 30 20 20 0 1 0 7312028 3133440 2 18446744073709551615`;
  expect(parseFigures(stat, { readBytes: 5, writtenBytes: 6 })).toEqual({
    pid: 42,
    ppid: 7,
    startTime: '7312028',
    total: { cpuMs: 2_500, readBytes: 5, writtenBytes: 6 },
    ofChildren: { cpuMs: 500, readBytes: 5, writtenBytes: 6 },
    residentBytes: expect.any(Number),
  });
  expect(parseFigures('', { readBytes: 0, writtenBytes: 0 })).toBeNull();
});

test('what was written counts as it was written, even if it was deleted before it reached the disk', () => {
  const io =
    'rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 512\n';
  expect(parseIo(io)).toEqual({ readBytes: 4_096, writtenBytes: 8_192 });
  expect(parseIo('')).toEqual({ readBytes: 0, writtenBytes: 0 });
});

/** A machine on which processes work, start others, wait for them or do not. */
class Machine {
  readonly #processes = new Map<number, ProcessFigures>();
  /** What all processes have done. */
  done = NOTHING_USED;

  start(pid: number, ppid: number, residentBytes = 0): void {
    const nothing = { total: NOTHING_USED, ofChildren: NOTHING_USED };
    this.#processes.set(pid, { pid, ppid, startTime: `${pid}`, ...nothing, residentBytes });
  }

  work(pid: number, amounts: Partial<Amounts>): void {
    const done = { ...NOTHING_USED, ...amounts };
    this.done = plus(this.done, done);
    this.#change(pid, ({ total, ofChildren, ...rest }) => ({
      ...rest,
      total: plus(total, done),
      // The kernel doesn't tell apart who has read and written.
      ofChildren: plus(ofChildren, { ...done, cpuMs: 0 }),
    }));
  }

  /** Its children become init's. */
  exit(pid: number, { isWaitedFor }: { readonly isWaitedFor: boolean }): void {
    const gone = this.of(pid);
    this.#processes.delete(pid);
    for (const { pid: child, ppid } of this.#processes.values())
      if (ppid === pid) this.#change(child, (each) => ({ ...each, ppid: 1 }));
    if (gone === null || !isWaitedFor) return;
    this.#change(gone.ppid, (parent) => ({
      ...parent,
      total: plus(parent.total, gone.total),
      ofChildren: plus(parent.ofChildren, gone.total),
    }));
  }

  of(pid: number): ProcessFigures | null {
    return this.#processes.get(pid) ?? null;
  }

  all(): ProcessFigures[] {
    return [...this.#processes.values()];
  }

  #change(pid: number, change: (figures: ProcessFigures) => ProcessFigures): void {
    const figures = this.of(pid);
    if (figures !== null) this.#processes.set(pid, change(figures));
  }
}

const WRAPPER = 5;

function runOn(machine: Machine): { readonly tally: Tally; look(): Amounts } {
  machine.start(WRAPPER, 1);
  machine.start(10, WRAPPER);
  const tally = new Tally();
  return { tally, look: () => tally.update(machine.all()) };
}

test('who is waited for has everything of it, seen or not, deep or flat', () => {
  const machine = new Machine();
  const { look } = runOn(machine);
  machine.start(11, 10);
  machine.start(12, 11);
  machine.work(12, { cpuMs: 100, writtenBytes: 7 });
  expect(look()).toEqual(machine.done);
  machine.work(12, { cpuMs: 50 });
  machine.exit(12, { isWaitedFor: true });
  machine.exit(11, { isWaitedFor: true });
  // Never seen at all.
  machine.start(13, 10);
  machine.work(13, { cpuMs: 1_000, readBytes: 99 });
  machine.exit(13, { isWaitedFor: true });
  expect(look()).toEqual(machine.done);
  machine.exit(10, { isWaitedFor: true });
  expect(look()).toEqual(machine.done);
});

test('of a daemon that init waits for, what was last seen of it counts', () => {
  const machine = new Machine();
  const { look } = runOn(machine);
  machine.start(11, 10);
  machine.start(12, 11);
  machine.exit(11, { isWaitedFor: true });
  machine.work(12, { cpuMs: 100, readBytes: 3, writtenBytes: 4 });
  expect(look()).toEqual(machine.done);
  machine.exit(12, { isWaitedFor: true });
  expect(look()).toEqual(machine.done);
  machine.exit(10, { isWaitedFor: true });
  expect(look()).toEqual(machine.done);
});

test('so it does of a child whose parent ignores its end, beside others that the parent waits for', () => {
  const machine = new Machine();
  const { look } = runOn(machine);
  machine.start(11, 10);
  machine.start(12, 10);
  machine.work(11, { cpuMs: 100 });
  machine.work(12, { cpuMs: 30 });
  look();
  machine.exit(11, { isWaitedFor: false });
  machine.exit(12, { isWaitedFor: true });
  expect(look()).toEqual(machine.done);
  machine.work(10, { cpuMs: 5 });
  expect(look()).toEqual(machine.done);
});

test('a child that was waited for after its parent was looked at is not counted twice, now or later', () => {
  const machine = new Machine();
  const { tally, look } = runOn(machine);
  machine.start(11, 10);
  machine.work(11, { cpuMs: 100 });
  look();
  const parentBefore = machine.all().filter(({ pid }) => pid !== 11);
  machine.exit(11, { isWaitedFor: true });
  expect(tally.update(parentBefore)).toEqual(machine.done);
  expect(look()).toEqual(machine.done);
  expect(look()).toEqual(machine.done);
});

test('a pid that is given out again is another process', () => {
  const machine = new Machine();
  const { tally, look } = runOn(machine);
  machine.start(11, 10);
  machine.work(11, { cpuMs: 100 });
  look();
  machine.exit(11, { isWaitedFor: false });
  const other = {
    ...machine.of(10),
    pid: 11,
    ppid: 10,
    startTime: 'later',
    total: NOTHING_USED,
    ofChildren: NOTHING_USED,
  };
  expect(tally.update([...machine.all(), { residentBytes: 0, ...other }]).cpuMs).toBe(100);
});

function gauge(proportional: Readonly<Record<number, number>>, limitBytes?: number) {
  const asked: number[] = [];
  const peaks: Record<number, number> = {};
  const gone = new Set<number>();
  /** Who ends when a process has just been read. */
  const endAfter: Record<number, readonly number[]> = {};
  const made = new MemoryGauge(
    {
      peakBytes: (pid) => (gone.has(pid) ? null : (peaks[pid] ?? 0)),
      proportionalBytes: async (pid) => {
        asked.push(pid);
        const bytes = gone.has(pid) ? null : (proportional[pid] ?? null);
        for (const each of endAfter[pid] ?? []) gone.add(each);
        return bytes;
      },
    },
    limitBytes,
  );
  return { made, asked, peaks, endAfter };
}

const sized = (...bytes: number[]) => bytes.map((residentBytes, pid) => ({ pid, residentBytes }));

test('a single process tells its own peak, and no exact sum is asked for', async () => {
  const { made, asked, peaks } = gauge({});
  peaks[0] = 90;
  expect(await made.measure(sized(50), true)).toBe(50);
  expect(made.peakBytes).toBe(90);
  expect(asked).toEqual([]);
});

test('pages that several processes share count once', async () => {
  const { made } = gauge({ 0: 60, 1: 20, 2: 20 });
  expect(await made.measure(sized(80, 80, 80), false)).toBe(100);
  expect(made.peakBytes).toBe(100);
});

test('the exact sum, which is expensive, is asked for only where it may be a new peak, or somebody looks', async () => {
  const { made, asked } = gauge({ 0: 100, 1: 100 });
  await made.measure(sized(100, 100), false);
  expect(asked.splice(0)).toEqual([0, 1]);
  await made.measure(sized(100, 102), false);
  await made.measure(sized(80, 80), false);
  // A shell beside what it has started.
  await made.measure(sized(3, 250), false);
  expect(asked).toEqual([]);
  expect(made.peakBytes).toBe(253);
  await made.measure(sized(80, 80), true);
  expect(asked).toEqual([0, 1]);
});

test('a limit is not held against what is counted twice', async () => {
  const { made } = gauge({ 0: 90, 1: 5 }, 100);
  expect(await made.measure(sized(97, 9), false)).toBe(97);
  expect(made.peakBytes).toBeLessThanOrEqual(100);
});

test('what a process shared with children that have just ended counts once', async () => {
  const { made, endAfter } = gauge({ 0: 30, 1: 30 }, 100);
  endAfter[1] = [1, 2];
  expect(await made.measure(sized(80, 80, 80), false)).toBe(80);
  expect(made.peakBytes).toBe(80);
});

test("another user's process counts with all that it occupies", async () => {
  const { made } = gauge({ 0: 50 });
  expect(await made.measure(sized(80, 80), false)).toBe(130);
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
  // Only the global one is replaced: a look would take as long as this machine makes it.
  vi.spyOn(perfHooks.performance, 'now').mockImplementation(() => performance.now());
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function meter(some: Partial<Omit<UsageMeterContext, 'tree'>> = {}) {
  const machine = new Machine();
  machine.start(10, process.pid, 50 * MIB);
  const known: KnownProcess[] = [{ pid: 10, startTime: '10' }];
  const waited = { for: { ...NOTHING_USED, cpuMs: 40 } as Amounts };
  const state = { cgroupCpuMs: null as number | null, looks: 0, costMs: 0, ownCpuMs: 0, onLook: (_pid: number) => {} };
  const measured: Usage[] = [];
  const reached: UsageLimit[] = [];
  const reader: UsageReader = {
    figures: (pid) => {
      state.looks += 1;
      state.ownCpuMs += state.costMs;
      state.onLook(pid);
      return machine.of(pid);
    },
    waitedFor: () => waited.for,
    ownCpuMs: () => state.ownCpuMs,
    peakBytes: (pid) => machine.of(pid)?.residentBytes ?? null,
    proportionalBytes: async (pid) => machine.of(pid)?.residentBytes ?? null,
  };
  const since = performance.now();
  const context: UsageMeterContext = {
    tree: { known: () => known, cgroupCpuMs: () => state.cgroupCpuMs },
    age: () => performance.now() - since,
    limits: { maxMemoryBytes: null, maxCpuMs: null },
    waitedForBefore: waited.for,
    onReached: (limit) => reached.push(limit),
    onMeasured: (usage) => measured.push(usage),
    log: silent,
    ...some,
  };
  const made = new UsageMeter(context, reader);
  /** The command exits, and the wrapper waits for it. */
  const exit = () => {
    waited.for = plus(waited.for, machine.of(10)?.total ?? NOTHING_USED);
    machine.exit(10, { isWaitedFor: true });
    made.commandExited();
  };
  return { made, machine, known, waited, state, measured, reached, exit };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('CPU time of a run that ends before the first look is known all the same; its memory is not', async () => {
  const { made, machine, exit } = meter();
  machine.work(10, { cpuMs: 20, writtenBytes: 512 });
  exit();
  expect(await made.finish()).toEqual({
    cpu_ms: 20,
    peak_memory_bytes: null,
    memory_bytes: null,
    read_bytes: 0,
    written_bytes: 512,
  });
});

test('a command that exits during the first look, after it was looked at, counts once', async () => {
  const { made, machine, known, state, exit } = meter();
  machine.work(10, { cpuMs: 300 });
  machine.start(11, 10);
  known.push({ pid: 11, startTime: '11' });
  state.onLook = (pid) => {
    if (pid === 11) exit();
  };
  await vi.advanceTimersByTimeAsync(25);
  expect((await made.finish()).cpu_ms).toBe(300);
});

test('what the wrapper itself has waited for meanwhile is none of the command', async () => {
  const { made, machine, waited, exit } = meter();
  await pass(1_000);
  waited.for = plus(waited.for, { ...NOTHING_USED, cpuMs: 300 });
  await pass(60_000);
  machine.work(10, { cpuMs: 70 });
  exit();
  waited.for = plus(waited.for, { ...NOTHING_USED, cpuMs: 300 });
  expect((await made.finish()).cpu_ms).toBe(70);
});

test('a cgroup has counted what no look could see', async () => {
  const { made, machine, state, exit } = meter();
  machine.work(10, { cpuMs: 70 });
  state.cgroupCpuMs = 91.4;
  exit();
  expect((await made.finish()).cpu_ms).toBe(91);
});

test('looks are frequent at first and rare later: a run of an hour is looked at every five seconds', async () => {
  const { state } = meter();
  await pass(1_000);
  expect(state.looks).toBeGreaterThan(5);
  await pass(3_600_000);
  expect(state.looks).toBeLessThan(3_600 / 5 + 60);
});

test('looks that cost much are rare; where a limit has to be kept, less so', async () => {
  const { state } = meter();
  const limited = meter({ limits: { maxMemoryBytes: 1_000 * MIB, maxCpuMs: null } });
  for (const each of [state, limited.state]) each.costMs = 103;
  await pass(100_000);
  expect(state.looks).toBeLessThan(100 / 20 + 3);
  expect(limited.state.looks).toBeGreaterThan(100 / 5 - 3);
});

test('each look is told while somebody looks, the first one at once', async () => {
  const { made, machine, measured } = meter();
  await pass(60_000);
  expect(measured).toEqual([]);
  machine.work(10, { cpuMs: 70 });
  made.watch(true);
  await pass(1);
  expect(measured).toEqual([
    { cpu_ms: 70, peak_memory_bytes: 50 * MIB, memory_bytes: 50 * MIB, read_bytes: 0, written_bytes: 0 },
  ]);
  await pass(10_000);
  expect(measured.length).toBeGreaterThanOrEqual(4);
  made.watch(false);
  const told = measured.length;
  await pass(60_000);
  expect(measured).toHaveLength(told);
});

test('a limit is reached once: for memory by its peak, for CPU time soon after it is used up', async () => {
  const { machine, reached, known } = meter({ limits: { maxMemoryBytes: 60 * MIB, maxCpuMs: 10_000 } });
  await pass(60_000);
  expect(reached).toEqual([]);
  machine.work(10, { cpuMs: 10_010 });
  await pass(5_000);
  expect(reached).toEqual(['cpu_limit']);
  machine.start(11, 10, 20 * MIB);
  known.push({ pid: 11, startTime: '11' });
  await pass(1_000);
  expect(reached).toEqual(['cpu_limit', 'memory_limit']);
  await pass(60_000);
  expect(reached).toHaveLength(2);
});

test('amounts are added up, and subtracted down to nothing', () => {
  const one = { cpuMs: 1, readBytes: 2, writtenBytes: 3 };
  expect(minus(plus(one, one), one)).toEqual(one);
  expect(minus(one, plus(one, one))).toEqual(NOTHING_USED);
});
