/**
 * How fast a kill is: from the POST until SIGTERM reaches the command, under several conditions, beside the same signal
 * through a bare Node.js server and client.
 *
 * Everything runs on this one machine. A round measures every condition of the quiet machine once, so that what else the
 * machine does meets all alike.
 */
import type { Bench, BenchContext } from '../bench.ts';
import { BenchPlane } from '../measure/bench-plane.ts';
import { median, quantile } from '../measure/statistics.ts';
import type { Bar, Chart } from '../report/chart.ts';
import { count, ms, quantilesMs } from '../report/quantity.ts';
import type { Aim, BenchResult, Row, Table } from '../report/result.ts';
import { startCrowd } from './crowd.ts';
import { Floor } from './floor.ts';
import { type Hops, type KillTimes, KillTrial } from './kill-trial.ts';

/** Started together: enough to be quick, few enough to be a quiet machine. */
const BATCH = 10;
const CROWD = 5_000;
const CROWD_TEXT = `${CROWD.toLocaleString('en')} other processes`;
const D1_DELAY_MS = 40;
/** The runtime lets an object hibernate after 10 s without anything to do. */
const HIBERNATED_AFTER_MS = 12_000;
/** Measured once, in process, on a quiet two-core machine: it isn't on the npm registry, so it can't be measured here each time. */
const CRONICLE = { name: 'Cronicle 0.9.129', ms: 17 };

type Kills = (KillTimes | null)[];

/** Milliseconds, or whole kills, by condition. */
class Measured {
  readonly floor: number[] = [];
  readonly floorInCrowd: number[] = [];
  readonly healthz: number[] = [];
  readonly quiet: Kills = [];
  readonly slowD1: Kills = [];
  readonly d1Away: Kills = [];
  readonly d1Hanging: Kills = [];
  readonly asleep: Kills = [];
  readonly crowded: Kills = [];
}

export const killBench: Bench = {
  name: 'kill',
  title: 'From POST /api/v1/jobs/{job}/kill to SIGTERM in the command',
  run: async (context) => report(await measure(context)),
};

async function measure({ options, cleanup, progress }: BenchContext): Promise<Measured> {
  const rounds = options.isQuick ? 2 : 10;
  const crowdRounds = options.isQuick ? 1 : 3;
  const plane = await BenchPlane.start(cleanup);
  const floor = await Floor.start(cleanup, plane.directory);
  const trial = new KillTrial(plane);
  const measureFloor = async () => (await floor.measure(BATCH)).map(({ signalMs }) => signalMs);
  // The first of everything is slower: code is compiled, tables are made.
  await measureFloor();
  await trial.measure(BATCH);

  const measured = new Measured();
  for (let round = 0; round < rounds; round += 1) {
    progress(`quiet machine, ${round + 1} of ${rounds}`);
    measured.quiet.push(...(await trial.measure(BATCH)));
    measured.floor.push(...(await measureFloor()));
    measured.healthz.push(...(await timeHealthz(plane.url, BATCH)));
    const disturbance = { delayMs: D1_DELAY_MS };
    if (round % 2 === 0) measured.slowD1.push(...(await trial.measure(BATCH, { disturbance })));
  }
  progress('hibernating objects');
  measured.asleep.push(...(await trial.measure(BATCH, { idleMs: HIBERNATED_AFTER_MS })));
  progress('D1 away, and D1 hanging');
  measured.d1Away.push(...(await trial.measure(BATCH, { disturbance: { mode: 'away' } })));
  measured.d1Hanging.push(...(await trial.measure(BATCH, { disturbance: { mode: 'hanging' } })));
  const endCrowd = await startCrowd(cleanup, CROWD);
  for (let round = 0; round < crowdRounds; round += 1) {
    progress(`${CROWD} other processes, ${round + 1} of ${crowdRounds}`);
    measured.crowded.push(...(await trial.measure(BATCH)));
    measured.floorInCrowd.push(...(await measureFloor()));
  }
  await endCrowd();
  return measured;
}

async function timeHealthz(url: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const beganAt = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    times.push(performance.now() - beganAt);
  }
  return times;
}

function report(measured: Measured): BenchResult {
  const { floor, floorInCrowd, quiet, slowD1, d1Away, d1Hanging, asleep, crowded } = measured;
  const floorMs = median(floor);
  const conditions: [string, Kills, number][] = [
    [CROWD_TEXT, crowded, median(floorInCrowd)],
    [`${D1_DELAY_MS} ms added to each D1 call`, slowD1, floorMs],
    ['D1 away (each call fails)', d1Away, floorMs],
    ['D1 hanging (no call returns)', d1Hanging, floorMs],
    ['the job’s object hibernating', asleep, floorMs],
  ];
  const times: Table = {
    title: 'milliseconds since the POST',
    columns: ['n', 'p50', 'p90', 'p99', '× floor'],
    rows: [
      distribution('floor: bare Node HTTP, ws, process.kill', floor),
      distribution(`  with ${CROWD_TEXT}`, floorInCrowd),
      distribution('GET /healthz alone', measured.healthz),
      distribution('kill: SIGTERM in the command', signalTimes(quiet), floorMs),
      distribution('  the 202', responseTimes(quiet)),
      ...conditions.map(([name, kills, ownFloorMs]) => distribution(`  ${name}`, signalTimes(kills), ownFloorMs)),
    ],
  };
  return {
    tables: [times, hopsTable(quiet)],
    aims: aims(measured),
    notes: lostKills(measured),
    chart: chart(measured, conditions),
  };
}

function chart({ floor, quiet }: Measured, conditions: readonly (readonly [string, Kills, number])[]): Chart {
  const bar = (name: string, times: readonly number[], kind: Bar['kind']): Bar => ({
    name,
    value: median(times),
    p99: quantile(times, 0.99),
    kind,
  });
  const hops = quiet.flatMap((kill) => (kill === null || kill.hops === null ? [] : hopParts(kill, kill.hops)));
  const parts = HOP_PARTS.map((name, index) => ({ name, value: median(hops.map((each) => each[index] ?? 0)) }));
  return {
    file: 'kill-time.svg',
    title: 'From POST …/kill to SIGTERM in the command: p50, and a line up to p99',
    unit: 'ms',
    bars: [
      bar('bare Node.js (the floor)', floor, 'floor'),
      bar('Leash', signalTimes(quiet), 'ours'),
      ...conditions
        .filter(([, kills]) => signalTimes(kills).length > 0)
        .map(([name, kills]) => bar(name, signalTimes(kills), 'ours')),
      { name: `${CRONICLE.name}, in process`, value: CRONICLE.ms, p99: null, kind: 'other' },
    ],
    limit: { name: '3 × the floor', value: 3 * median(floor) },
    parts: hops.length === 0 ? null : { name: 'where it goes', parts },
  };
}

const HOP_PARTS = [
  'API, until it is sent',
  'on the wire',
  'wrapper, until its first signal',
  'HTTP call and the signal itself',
] as const;

/** How long each part took, where the kill says so. */
function hopParts({ signalMs }: KillTimes, { sent, received, firstSignal }: Hops): number[][] {
  if (sent === null || received === null || firstSignal === null) return [];
  return [[sent, received - sent, firstSignal - received, Math.max(0, signalMs - firstSignal)]];
}

function aims({ floor, quiet, crowded, slowD1, d1Away, d1Hanging }: Measured): Aim[] {
  const floorMs = median(floor);
  const p50 = median(signalTimes(quiet));
  const p99 = quantile(signalTimes(quiet), 0.99);
  const arrived = (kills: Kills) => count(signalTimes(kills).length);
  const all = (kills: Kills) => count(kills.length);
  return [
    { name: 'p50, at most 3 × the floor', measured: ms(p50), relation: '≤', limit: ms(3 * floorMs) },
    { name: `p50, below ${CRONICLE.name}`, measured: ms(p50), relation: '<', limit: ms(CRONICLE.ms) },
    { name: 'p99, at most 10 × the floor', measured: ms(p99), relation: '≤', limit: ms(10 * floorMs) },
    {
      name: `p50 with ${CROWD_TEXT}, at most 1.5 × the one without`,
      measured: ms(median(signalTimes(crowded))),
      relation: '≤',
      limit: ms(1.5 * p50),
    },
    {
      name: `p50 with ${D1_DELAY_MS} ms more a D1 call, no slower (10 % for noise)`,
      measured: ms(median(signalTimes(slowD1))),
      relation: '≤',
      limit: ms(1.1 * p50),
    },
    { name: 'kills that arrive while D1 is away', measured: arrived(d1Away), relation: '=', limit: all(d1Away) },
    { name: 'kills that arrive while D1 hangs', measured: arrived(d1Hanging), relation: '=', limit: all(d1Hanging) },
  ];
}

function signalTimes(kills: Kills): number[] {
  return kills.filter((kill) => kill !== null).map(({ signalMs }) => signalMs);
}

function responseTimes(kills: Kills): number[] {
  return kills.filter((kill) => kill !== null).map(({ responseMs }) => responseMs);
}

function distribution(name: string, times: readonly number[], floorMs: number | null = null): Row {
  const ratio = floorMs === null ? null : ({ value: median(times) / floorMs, unit: '×' } as const);
  return { name, cells: [count(times.length), ...quantilesMs(times, 0.5, 0.9, 0.99), ratio] };
}

const HOPS: readonly (readonly [name: string, hop: keyof Hops])[] = [
  ['stored', 'stored'],
  ['sent to the wrapper', 'sent'],
  ['received by the wrapper', 'received'],
  ['first signal', 'firstSignal'],
  ['last process gone', 'lastProcessGone'],
];

/** Where each millisecond goes, by the kill's own account. */
function hopsTable(kills: Kills): Table {
  const hops = kills.flatMap((kill) => kill?.hops ?? []);
  const rows = HOPS.map(([name, hop]) => {
    const times = hops.flatMap((each) => each[hop] ?? []);
    return distribution(name, times);
  });
  return { title: 'milliseconds since it was requested', columns: ['n', 'p50', 'p90', 'p99'], rows };
}

function lostKills({ quiet, crowded, slowD1, asleep }: Measured): string[] {
  const lost = [quiet, crowded, slowD1, asleep].flat().filter((kill) => kill === null).length;
  return lost === 0 ? [] : [`${lost} kills did not arrive within 10 s.`];
}
