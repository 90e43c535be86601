/**
 * What the wrapper costs a command that prints nothing: how much later it starts, and the memory and CPU time of a wrapper
 * that has nothing to do. The floor of each is the least that a Node.js program takes.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeControlPlane } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { WrapperProcess } from '../../scripts/local/wrapper-process.ts';
import type { Bench, BenchContext } from '../bench.ts';
import { LeashRuns, succeeded } from '../measure/leash-run.ts';
import { cpuMsOf, type Memory, memoryOf } from '../measure/process-usage.ts';
import { median } from '../measure/statistics.ts';
import { count, ms, quantilesMs } from '../report/quantity.ts';
import type { Aim, BenchResult, Row, Table } from '../report/result.ts';

/** How much later a command may start, as a share of what `node -e 0` takes. */
const MOST_DELAY = 1.25;
/** As many as a machine may run at once; they share the program's pages. */
const IDLE_WRAPPERS = 5;
const HEARTBEAT_MS = 5_000;
/** Until what a start leaves to do is done. */
const SETTLE_MS = 3_000;

export const wrapperBench: Bench = {
  name: 'wrapper',
  title: 'What the wrapper costs a command that prints nothing',
  run: measure,
};

async function measure(context: BenchContext): Promise<BenchResult> {
  const plane = await new FakeControlPlane({ keepsOutput: false }).listen();
  context.cleanup.add(() => plane.stop());
  Object.assign(plane.script, { heartbeatMs: HEARTBEAT_MS, silenceMs: 15_000 });
  const starts = await measureStarts(context, plane.url);
  const idle = await measureIdle(context, plane.url);
  return { tables: [startTable(starts), idleTable(idle)], aims: aims(starts), notes: [] };
}

interface Starts {
  readonly nodeMs: number[];
  readonly bareMs: number[];
  readonly programMs: number[];
  readonly launcherMs: number[];
}

/** Each round measures all of it once. */
async function measureStarts({ options, cleanup, progress }: BenchContext, url: string): Promise<Starts> {
  const runs = await LeashRuns.create(cleanup, options.node);
  const noted = join(runs.directory, 'noted');
  const command = ['sh', '-c', 'date +%s%N >"$1"', 'sh', noted];
  const starts: Starts = { nodeMs: [], bareMs: [], programMs: [], launcherMs: [] };
  const rounds = options.isQuick ? 3 : 30;
  /** From the start until the command has noted the time. */
  const startMs = async (start: () => ReturnType<typeof spawn>) => {
    rmSync(noted, { force: true });
    const beganAt = wallClockMs();
    await succeeded(start());
    return Number(readFileSync(noted, 'utf8')) / 1e6 - beganAt;
  };
  // The first round reads files that are not in memory yet.
  for (let round = 0; round <= rounds; round += 1) {
    progress(`starts, ${round} of ${rounds}`);
    const bareMs = await startMs(() => runs.startBare(command));
    const launcherMs = await startMs(() => runs.start(command, { url }));
    const programMs = await startMs(() => runs.start(command, { url, hasLauncher: false }));
    const beganAt = performance.now();
    await succeeded(spawn(options.node, ['-e', '0'], { stdio: 'ignore' }));
    const nodeMs = performance.now() - beganAt;
    if (round === 0) continue;
    starts.nodeMs.push(nodeMs);
    starts.bareMs.push(bareMs);
    starts.programMs.push(programMs);
    starts.launcherMs.push(launcherMs);
  }
  return starts;
}

/** Comparable with `date`, and finer than Date.now(). */
function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}

interface Idle {
  readonly memory: Memory;
  /** Of CPU time, in a minute. */
  readonly cpuMsPerMinute: number;
}

interface IdleComparison {
  readonly wrapper: Idle;
  readonly floor: Idle;
}

async function measureIdle({ options, cleanup, progress }: BenchContext, url: string): Promise<IdleComparison> {
  const seconds = options.isQuick ? 5 : 15;
  progress(`idle wrappers, ${seconds} s`);
  const runs = await LeashRuns.create(cleanup, options.node);
  const wrappers = Array.from({ length: IDLE_WRAPPERS }, (_, index) => {
    const names = { job: `idle-${index}`, machine: `m${index}.example.com` };
    return new WrapperProcess({ url, token: 'bench', ...names, command: ['sleep', '600'], home: runs.directory });
  });
  const script = `setInterval(() => {}, ${HEARTBEAT_MS})`;
  const floors = Array.from({ length: IDLE_WRAPPERS }, () => spawn(options.node, ['-e', script], { stdio: 'ignore' }));
  cleanup.add(() => Promise.all(wrappers.map((wrapper) => wrapper.clear())).then(() => undefined));
  cleanup.add(() => {
    for (const floor of floors) floor.kill('SIGKILL');
  });
  await Promise.all(wrappers.map(({ pid }) => waitFor('a command to run', () => hasCommand(pid))));
  await sleep(SETTLE_MS);
  const [wrapper, floor] = await Promise.all([
    watch(
      wrappers.map(({ pid }) => pid),
      seconds,
    ),
    watch(
      floors.map(({ pid = 0 }) => pid),
      seconds,
    ),
  ]);
  return { wrapper, floor };
}

function hasCommand(pid: number): boolean {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children.some((child) => child !== '' && readFileSync(`/proc/${child}/comm`, 'utf8').trim() === 'sleep');
}

async function watch(pids: readonly number[], seconds: number): Promise<Idle> {
  const before = pids.map(cpuMsOf);
  await sleep(seconds * 1000);
  const used = pids.map((pid, index) => cpuMsOf(pid) - (before[index] ?? 0));
  const memory = pids.map(memoryOf);
  const of = (name: keyof Memory) => median(memory.map((each) => each[name]));
  return {
    memory: { residentMib: of('residentMib'), peakMib: of('peakMib'), proportionalMib: of('proportionalMib') },
    cpuMsPerMinute: (median(used) / seconds) * 60,
  };
}

/** Each start less the one without leash in its round: what else the machine did meets both. */
function delays(times: readonly number[], { bareMs }: Starts): number[] {
  return times.map((time, round) => time - (bareMs[round] ?? Number.NaN));
}

function startTable(starts: Starts): Table {
  const floor = median(starts.nodeMs);
  const row = (name: string, times: readonly number[], hasRatio = true): Row => ({
    name,
    cells: [
      count(times.length),
      ...quantilesMs(times, 0.5, 0.9),
      hasRatio ? { value: median(times) / floor, unit: '×' } : null,
    ],
  });
  return {
    title: 'milliseconds',
    columns: ['n', 'p50', 'p90', '× floor'],
    rows: [
      row('floor: node -e 0', starts.nodeMs, false),
      row('the command starts, alone', starts.bareMs, false),
      row('  later with leash', delays(starts.launcherMs, starts)),
      row('  later with leash, without its launcher', delays(starts.programMs, starts)),
    ],
  };
}

function idleTable({ wrapper, floor }: IdleComparison): Table {
  const row = (name: string, { memory, cpuMsPerMinute }: Idle): Row => ({
    name,
    cells: [
      { value: memory.residentMib, unit: 'MiB' },
      { value: memory.proportionalMib, unit: 'MiB' },
      { value: memory.peakMib, unit: 'MiB' },
      ms(cpuMsPerMinute),
    ],
  });
  return {
    title: `${IDLE_WRAPPERS} that have nothing to do, each`,
    columns: ['resident', 'its share', 'at most', 'CPU a minute'],
    rows: [row('floor: a Node.js with a timer', floor), row('a wrapper, connected', wrapper)],
  };
}

function aims(starts: Starts): Aim[] {
  return [
    {
      name: `the command starts later by at most ${MOST_DELAY} × what node -e 0 takes`,
      measured: ms(median(delays(starts.launcherMs, starts))),
      relation: '≤',
      limit: ms(MOST_DELAY * median(starts.nodeMs)),
    },
  ];
}
