/** How long a command takes that prints much: alone, and under leash with the control plane in different states. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeControlPlane } from '#testing/fake-control-plane';
import { AUTHORITY, GOOD, KEY } from '../../wrapper/test/support/certificates.ts';
import type { BenchContext } from '../bench.ts';
import { LeashRuns, type Settings, succeeded } from '../measure/leash-run.ts';
import { PeakMemory } from '../measure/process-usage.ts';
import { median } from '../measure/statistics.ts';
import type { Row, Table } from '../report/result.ts';
import { producer, readProduction } from './produce.ts';

const PACED_BYTES_PER_SECOND = 50e6;
const PACED_SECONDS = 1;

interface Condition {
  readonly name: string;
  readonly settings: Settings;
}

interface Samples extends Condition {
  /** The command's own time, beside the one alone in the same round. */
  readonly paced: { readonly ms: number; readonly aloneMs: number }[];
  readonly flatOutMs: number[];
  readonly peakMib: number[];
}

export interface CommandTimes {
  readonly table: Table;
  /** What the command takes longer at a steady pace, with the control plane connected, in percent. */
  readonly slowerPercent: number;
}

/** Each round measures all of it once, so that what else the machine does meets all alike. */
export async function measureCommandTimes(context: BenchContext): Promise<CommandTimes> {
  const { options, cleanup, progress } = context;
  const runs = await LeashRuns.create(cleanup, options.node);
  const noted = join(runs.directory, 'noted');
  const samples = (await conditions(context, runs)).map(
    (condition): Samples => ({ ...condition, paced: [], flatOutMs: [], peakMib: [] }),
  );
  const aloneFlatOutMs: number[] = [];
  const rounds = options.isQuick ? 1 : 3;
  const paced = producer(PACED_BYTES_PER_SECOND * PACED_SECONDS, PACED_BYTES_PER_SECOND, noted);
  const flatOut = producer(options.outputBytes, Number.POSITIVE_INFINITY, noted);
  const tookMs = async (child: ChildProcess) => {
    await succeeded(child);
    return readProduction(noted).tookMs;
  };
  for (let round = 1; round <= rounds; round += 1) {
    progress(`the command’s own time, ${round} of ${rounds}`);
    const aloneMs = await tookMs(runs.startBare(paced, 'cat'));
    aloneFlatOutMs.push(await tookMs(runs.startBare(flatOut, 'cat')));
    for (const { settings, ...sample } of samples) {
      sample.paced.push({ ms: await tookMs(runs.start(paced, settings)), aloneMs });
      const child = runs.start(flatOut, settings);
      const memory = new PeakMemory(child.pid ?? 0);
      sample.flatOutMs.push(await tookMs(child));
      sample.peakMib.push(memory.stop());
      await runs.endLeftovers();
    }
  }
  const alone: Row = {
    name: 'floor: alone, into cat >/dev/null',
    cells: [
      { value: median(samples.flatMap(({ paced }) => paced.map(({ aloneMs }) => aloneMs))) / 1000, unit: 's' },
      null,
      { value: megabytesPerSecond(options.outputBytes, median(aloneFlatOutMs)), unit: 'MB/s' },
    ],
  };
  const connected = samples.find(({ name }) => name === CONNECTED);
  return {
    slowerPercent: connected === undefined ? Number.NaN : slowerPercent(connected),
    table: {
      title: 'the command’s own time',
      columns: [`${PACED_SECONDS} s at 50 MB/s`, 'longer', 'flat out', 'wrapper at most'],
      rows: [alone, ...samples.map((sample) => row(sample, options.outputBytes))],
    },
  };
}

const CONNECTED = 'control plane connected';

async function conditions({ cleanup }: BenchContext, { directory }: LeashRuns): Promise<Condition[]> {
  const caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, AUTHORITY);
  const plain = await new FakeControlPlane({ keepsOutput: false }).listen();
  const secure = await new FakeControlPlane({ tls: { key: KEY, cert: GOOD }, keepsOutput: false }).listen();
  for (const plane of [plain, secure]) {
    Object.assign(plane.script, { heartbeatMs: 5_000, silenceMs: 15_000 });
    cleanup.add(() => plane.stop());
  }
  return [
    { name: 'no control plane', settings: {} },
    { name: 'control plane unreachable', settings: { url: 'http://127.0.0.1:9' } },
    { name: CONNECTED, settings: { url: plain.url } },
    { name: '  and stdout a pipe', settings: { url: plain.url, outlet: 'cat' } },
    { name: '  by TLS', settings: { url: secure.url, caFile } },
  ];
}

function slowerPercent({ paced }: Samples): number {
  return median(paced.map(({ ms, aloneMs }) => 100 * (ms / aloneMs - 1)));
}

function row(sample: Samples, bytes: number): Row {
  return {
    name: sample.name,
    cells: [
      { value: median(sample.paced.map(({ ms }) => ms)) / 1000, unit: 's' },
      { value: slowerPercent(sample), unit: '%' },
      { value: megabytesPerSecond(bytes, median(sample.flatOutMs)), unit: 'MB/s' },
      { value: Math.max(...sample.peakMib), unit: 'MiB' },
    ],
  };
}

export function megabytesPerSecond(bytes: number, ms: number): number {
  return bytes / 1e6 / (ms / 1000);
}
