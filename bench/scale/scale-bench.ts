/**
 * A thundering herd: every wrapper connects at the same moment, as when cron fires everywhere at :00, first for jobs that the
 * control plane has never seen, then, all links broken at once, for jobs that it knows; and people kill runs meanwhile.
 *
 * The wrappers are played by two processes, which cost less than real ones, and none of the machine's memory. The local
 * runtime is one thread for the Worker, all objects and D1, on a disk to which each object's own database goes.
 * `TMPDIR=/dev/shm` leaves the disk out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { groupMembers } from '../../scripts/local/process-group.ts';
import type { Bench, BenchContext } from '../bench.ts';
import { BenchPlane } from '../measure/bench-plane.ts';
import { Cleanup } from '../measure/cleanup.ts';
import { d1Table } from '../measure/d1-counts.ts';
import { startFloorProcess } from '../measure/floor-process.ts';
import { memoryOf } from '../measure/process-usage.ts';
import { quantile } from '../measure/statistics.ts';
import { count, ms, type Quantity, quantilesMs } from '../report/quantity.ts';
import type { Aim, BenchResult, Row, Table } from '../report/result.ts';
import { syncedFileMs } from './disk-floor.ts';
import { Herd } from './herd.ts';
import { type Stampede, stampede } from './stampede.ts';

const FLOOR_SERVER = new URL('./floor-server.ts', import.meta.url);
const NEW_JOBS_MS = 15_000;
const KNOWN_JOBS_MS = 10_000;
const KILL_P95_MS = 1_000;
const FLOOR_LIMIT_MS = 60_000;
const SYNCED_FILES = 200;
const TIMEOUT = /handshake has timed out/;

export const scaleBench: Bench = {
  name: 'scale',
  title: 'Every wrapper connects at once, while people kill runs',
  run: measure,
};

async function measure(context: BenchContext): Promise<BenchResult> {
  const results: BenchResult[] = [];
  for (const jobs of context.options.jobs) {
    // One control plane after the other: each with nothing stored, and the machine to itself.
    const cleanup = new Cleanup();
    context.cleanup.add(() => cleanup.run());
    results.push(await measureJobs({ ...context, cleanup }, jobs));
    await cleanup.run();
  }
  return {
    tables: results.flatMap(({ tables }) => tables),
    aims: results.flatMap(({ aims }) => aims),
    notes: results.flatMap(({ notes }) => notes),
  };
}

async function measureJobs({ options, cleanup, progress }: BenchContext, jobs: number): Promise<BenchResult> {
  const wrapperCount = options.isQuick ? Math.min(200, options.wrappers) : options.wrappers;
  const jobCount = Math.min(jobs, wrapperCount);
  const of = `${wrapperCount.toLocaleString('en')} wrappers of ${jobCount.toLocaleString('en')} jobs`;
  progress(`${of}: the floor`);
  const floorMs = await floorStarts(cleanup, wrapperCount);
  const plane = await BenchPlane.start(cleanup);
  const fileMs = await syncedFileMs(plane.directory, SYNCED_FILES);
  const memoryBefore = runtimeMib(plane);
  const herd = new Herd(cleanup, wrapperCount, jobCount);
  progress(`${of}: new jobs`);
  const d1Before = await plane.d1Counts();
  const first = await stampede(plane, herd, () => herd.connect(plane.url, plane.machineTokens));
  const d1After = await plane.d1Counts();
  const memoryMib = runtimeMib(plane) - memoryBefore;
  progress(`${of}: known jobs`);
  const second = await stampede(plane, herd, () => herd.reconnect());
  const kibEach = (1024 * memoryMib) / wrapperCount;
  const notes = [
    `On this disk, ${jobCount.toLocaleString('en')} files made and synced one after the other take ${((fileMs * jobCount) / 1000).toFixed(1)} s.`,
    ...failureNotes('New jobs', first),
    ...failureNotes('Known jobs', second),
    ...(plane.problems.count === 0
      ? []
      : [`The Worker logged ${plane.problems.count} warnings or errors, the first of them: ${plane.problems.first}`]),
  ];
  return {
    tables: [
      startTable(of, floorMs, first, second, kibEach),
      killTable(first, second),
      d1Table('D1, new jobs', d1Before, d1After),
    ],
    aims: [...aims(`${of}, new`, first, NEW_JOBS_MS), ...aims(`${of}, known`, second, KNOWN_JOBS_MS)],
    notes,
  };
}

/** The same crowd at a bare WebSocket server that stores nothing. @returns when each had its `ack start` */
async function floorStarts(parent: Cleanup, wrapperCount: number): Promise<number[]> {
  const cleanup = new Cleanup();
  parent.add(() => cleanup.run());
  const port = await startFloorProcess(cleanup, FLOOR_SERVER);
  const herd = new Herd(cleanup, wrapperCount, wrapperCount);
  const beganAt = herd.connect(`http://127.0.0.1:${port}`, ['floor']);
  while (herd.started.size < wrapperCount && Date.now() - beganAt < FLOOR_LIMIT_MS) await sleep(50);
  const startedMs = [...herd.started.values()].map((at) => at - beganAt);
  await cleanup.run();
  return startedMs;
}

/** Of all processes of the control plane. */
function runtimeMib(plane: BenchPlane): number {
  return groupMembers(plane.child.group).reduce((sum, pid) => sum + memoryOf(pid).residentMib, 0);
}

function startTable(of: string, floorMs: readonly number[], first: Stampede, second: Stampede, kibEach: number): Table {
  const row = (name: string, startedMs: readonly number[], expected: number, ...memory: Quantity[]): Row => ({
    name,
    cells: [
      `${startedMs.length} of ${expected}`,
      ...[0.5, 0.95, 1].map((share): Quantity => ({ value: quantile(startedMs, share) / 1000, unit: 's' })),
      ...memory,
    ],
  });
  return {
    title: `${of}: connected after`,
    columns: ['connected', 'p50', 'p95', 'all', 'memory each'],
    rows: [
      row('floor: bare Node, ws', floorMs, first.expected),
      row('new jobs', first.startedMs, first.expected, { value: kibEach, unit: 'KiB' }),
      row('known jobs, all links broken at once', second.startedMs, second.expected),
    ],
  };
}

function killTable(first: Stampede, second: Stampede): Table {
  const row = (name: string, times: readonly (number | null)[]): Row => {
    const arrived = times.filter((time) => time !== null);
    return {
      name,
      cells: [`${arrived.length} of ${times.length}`, ...quantilesMs(arrived, 0.5, 0.95, 1)],
    };
  };
  const rows = (name: string, { kills }: Stampede) => [
    row(
      `${name}: the wrapper has it`,
      kills.map(({ receivedMs }) => receivedMs),
    ),
    row(
      '  the 202',
      kills.map(({ responseMs }) => responseMs),
    ),
  ];
  return {
    title: 'kills meanwhile, since the POST',
    columns: ['arrived', 'p50', 'p95', 'max'],
    rows: [...rows('new jobs', first), ...rows('known jobs', second)],
  };
}

function aims(of: string, result: Stampede, limitMs: number): Aim[] {
  const { startedMs, expected, kills, failures } = result;
  const isComplete = startedMs.length >= expected;
  const timeouts = [...failures].filter(([reason]) => TIMEOUT.test(reason)).reduce((sum, [, times]) => sum + times, 0);
  const received = kills.map(({ receivedMs }) => receivedMs ?? Number.POSITIVE_INFINITY);
  return [
    {
      name: `${of}: all connected after`,
      measured: { value: isComplete ? quantile(startedMs, 1) / 1000 : Number.NaN, unit: 's' },
      relation: '≤',
      limit: { value: limitMs / 1000, unit: 's' },
    },
    {
      name: `${of}: a kill meanwhile, p95`,
      measured: ms(quantile(received, 0.95)),
      relation: '<',
      limit: ms(KILL_P95_MS),
    },
    {
      name: `${of}: handshakes that time out`,
      measured: count(timeouts),
      relation: '=',
      limit: count(0),
    },
  ];
}

function failureNotes(when: string, { failures, waits, expected }: Stampede): string[] {
  const asked = waits === 0 ? [] : [`${when}: a wrapper was asked to wait ${(waits / expected).toFixed(1)} times.`];
  return [...asked, ...[...failures].map(([reason, times]) => `${when}: ${times} times ${reason}.`)];
}
