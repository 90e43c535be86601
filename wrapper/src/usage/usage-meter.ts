/**
 * Measures what the processes of a run take, from looks at /proc: often while a run is young, so that of a short one, too,
 * most is seen, and rarely later. CPU time, and what was read and written, are exact in the end (tally.ts) however short a
 * process lived; of memory, each process tells its own peak, as long as it lives.
 */
import os from 'node:os';
import type { Usage } from '#protocol/usage';
import { describeError, type Log } from '../logging/log.ts';
import type { KnownProcess, ProcessTree } from '../processes/process-tree.ts';
import { inSlices } from './in-slices.ts';
import { MemoryGauge, type MemoryReader } from './memory-gauge.ts';
import {
  type Amounts,
  NOTHING_USED,
  type ProcessFigures,
  readFigures,
  readPeakBytes,
  readProportionalBytes,
  readWaitedFor,
} from './process-figures.ts';
import { minus, Tally } from './tally.ts';

export type UsageLimit = 'memory_limit' | 'cpu_limit';

/** Null: no limit. */
export interface UsageLimits {
  readonly maxMemoryBytes: number | null;
  readonly maxCpuMs: number | null;
}

/** What is read of processes; replaced in tests. */
export interface UsageReader extends MemoryReader {
  figures(pid: number): ProcessFigures | null;
  /** What the children that this process has waited for have used; null where that can't be told. */
  waitedFor(): Amounts | null;
  /** The CPU time that this process itself has used, on all of its threads. */
  ownCpuMs(): number;
}

export interface UsageMeterContext {
  readonly tree: Pick<ProcessTree, 'known' | 'cgroupCpuMs'>;
  /** The run's age in ms. */
  readonly age: () => number;
  readonly limits: UsageLimits;
  /** What this process had waited for before it could wait for the command; null: it is not the command's parent. */
  readonly waitedForBefore: Amounts | null;
  /** Called once for each limit. */
  readonly onReached: (limit: UsageLimit) => void;
  /** Called after each look while `watch(true)`. */
  readonly onMeasured: (usage: Usage) => void;
  readonly log: Log;
}

const FIRST_PAUSE_MS = 25;
/** So that of any run at most the last sixth was not looked at. */
const PAUSE_SHARE = 0.2;
const LONGEST_PAUSE_MS = 5_000;
const WATCHED_PAUSE_MS = 2_000;
/** Memory may grow by gigabytes in a second. */
const MEMORY_LIMIT_PAUSE_MS = 250;
/** At most this share of one processor's time goes into looking, however many processes there are. */
const LOOK_SHARE = 0.005;
/** The same where a limit has to be kept. */
const LIMITED_LOOK_SHARE = 0.02;
/** A look at a few processes, when the code is run for the first time. It needs no pause on account of its cost. */
const CHEAP_LOOK_MS = 3;

const THIS_MACHINE: UsageReader = {
  figures: readFigures,
  waitedFor: readWaitedFor,
  ownCpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
  peakBytes: readPeakBytes,
  proportionalBytes: readProportionalBytes,
};

export class UsageMeter {
  readonly #context: UsageMeterContext;
  readonly #reader: UsageReader;
  readonly #tally = new Tally();
  readonly #memory: MemoryGauge;
  readonly #reached = new Set<UsageLimit>();
  #timer: NodeJS.Timeout | null = null;
  /** The look under way. */
  #look: Promise<void> | null = null;
  /** What this process has waited for that was not the command: mkfifo, or a flusher. */
  #waitedForOthers: Amounts | null;
  /** What it has waited for of the command; null before its exit. */
  #waitedFor: Amounts | null = null;
  #isWatched = false;
  #isOver = false;
  #amounts: Amounts = NOTHING_USED;
  #memoryBytes = 0;

  constructor(context: UsageMeterContext, reader: UsageReader = THIS_MACHINE) {
    this.#context = context;
    this.#reader = reader;
    this.#waitedForOthers = context.waitedForBefore;
    this.#memory = new MemoryGauge(reader, context.limits.maxMemoryBytes ?? undefined);
    this.#lookAfter(FIRST_PAUSE_MS);
  }

  /** Whether a person looks at the run: then each look is told, the first one at once. */
  watch(isWatched: boolean): void {
    if (isWatched && !this.#isOver) this.#lookAfter(0);
    this.#isWatched = isWatched;
  }

  /** The command has exited, and this process has just waited for it. */
  commandExited(): void {
    if (this.#waitedForOthers === null || this.#waitedFor !== null) return;
    const now = this.#reader.waitedFor();
    this.#waitedFor = now === null ? NOTHING_USED : minus(now, this.#waitedForOthers);
  }

  /** Ends the measuring with a last look. Never rejects. */
  async finish(): Promise<Usage> {
    this.#isOver = true;
    this.#clear();
    await this.#look;
    await this.#tryToLook();
    const { memory_bytes: _, ...usage } = this.#usage();
    return { ...usage, memory_bytes: null };
  }

  #lookAfter(ms: number): void {
    this.#clear();
    this.#timer = setTimeout(() => void this.#lookNow(), ms).unref();
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #lookNow(): Promise<void> {
    // One that was asked for meanwhile is the one under way.
    if (this.#look !== null) return;
    // Not by the clock: on a busy machine a look takes long, and there most of all a limit has to be kept.
    const before = this.#reader.ownCpuMs();
    this.#look = this.#tryToLook();
    await this.#look;
    this.#look = null;
    if (this.#isOver) return;
    if (this.#isWatched) this.#context.onMeasured(this.#usage());
    this.#judge();
    this.#lookAfter(this.#pauseMs(this.#reader.ownCpuMs() - before));
  }

  async #tryToLook(): Promise<void> {
    try {
      await this.#lookOnce();
    } catch (error) {
      // Out of file descriptors, most likely; the next look may succeed.
      this.#context.log.info(`cannot measure what the command takes: ${describeError(error)}`);
    }
  }

  async #lookOnce(): Promise<void> {
    // Before the command, whose parent this is: it may exit while the others are read.
    if (this.#waitedFor === null && this.#waitedForOthers !== null) this.#waitedForOthers = this.#reader.waitedFor();
    const own = this.#waitedForOthers === null ? [] : [ownFigures(this.#waitedFor ?? NOTHING_USED)];
    const seen = await this.#read(this.#context.tree.known());
    this.#amounts = this.#tally.update([...own, ...seen]);
    this.#memoryBytes = await this.#memory.measure(seen, this.#isWatched);
  }

  async #read(processes: readonly KnownProcess[]): Promise<ProcessFigures[]> {
    const seen: ProcessFigures[] = [];
    for await (const { pid, startTime } of inSlices(this.#inOrder(processes))) {
      const figures = this.#reader.figures(pid);
      if (figures !== null && (startTime === null || figures.startTime === startTime)) seen.push(figures);
    }
    return seen;
  }

  /** Parents before their children: those that are known were found in that order. */
  #inOrder(processes: readonly KnownProcess[]): KnownProcess[] {
    const byPid = new Map(processes.map((each) => [each.pid, each]));
    const before = this.#tally.pids.flatMap((pid) => byPid.get(pid) ?? []);
    const known = new Set(before);
    const others = processes.filter((each) => !known.has(each)).sort((one, other) => one.pid - other.pid);
    return [...before, ...others];
  }

  #usage(): Usage {
    const { cpuMs, readBytes, writtenBytes } = this.#amounts;
    const { peakBytes } = this.#memory;
    return {
      cpu_ms: Math.round(Math.max(cpuMs, this.#context.tree.cgroupCpuMs() ?? 0)),
      peak_memory_bytes: peakBytes === 0 ? null : peakBytes,
      memory_bytes: this.#memoryBytes,
      read_bytes: Math.round(readBytes),
      written_bytes: Math.round(writtenBytes),
    };
  }

  #judge(): void {
    const { limits, onReached } = this.#context;
    const { cpu_ms, peak_memory_bytes } = this.#usage();
    const isOver = (used: number | null, limit: number | null) => used !== null && limit !== null && used > limit;
    const over: UsageLimit[] = [];
    if (isOver(peak_memory_bytes, limits.maxMemoryBytes)) over.push('memory_limit');
    if (isOver(cpu_ms, limits.maxCpuMs)) over.push('cpu_limit');
    for (const limit of over) {
      if (this.#reached.has(limit)) continue;
      this.#reached.add(limit);
      onReached(limit);
    }
  }

  #pauseMs(lookCpuMs: number): number {
    const { age, limits } = this.#context;
    const pauses = [LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, age() * PAUSE_SHARE)];
    if (this.#isWatched) pauses.push(WATCHED_PAUSE_MS);
    if (limits.maxMemoryBytes !== null) pauses.push(MEMORY_LIMIT_PAUSE_MS);
    if (limits.maxCpuMs !== null) pauses.push(this.#soonestCpuLimitMs(limits.maxCpuMs));
    const isLimited = limits.maxMemoryBytes !== null || limits.maxCpuMs !== null;
    const share = isLimited ? LIMITED_LOOK_SHARE : LOOK_SHARE;
    return Math.max(Math.min(...pauses), (lookCpuMs - CHEAP_LOOK_MS) / share);
  }

  /** When the limit would be reached if all processors worked for the run. */
  #soonestCpuLimitMs(maxCpuMs: number): number {
    const left = maxCpuMs - (this.#usage().cpu_ms ?? 0);
    return this.#reached.has('cpu_limit') ? LONGEST_PAUSE_MS : Math.max(FIRST_PAUSE_MS, left / os.cpus().length);
  }
}

/** This process as the parent of the command: of what it does itself nothing is the run's. */
function ownFigures(waitedFor: Amounts): ProcessFigures {
  return { pid: process.pid, ppid: 0, startTime: '', total: waitedFor, ofChildren: waitedFor, residentBytes: 0 };
}
