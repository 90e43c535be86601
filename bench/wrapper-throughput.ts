/**
 * What the wrapper costs a command that prints much, and one that prints nothing.
 *
 *     npm run build && node bench/wrapper-throughput.ts [--node PATH] [--seconds 10] [--mebibytes 2048]
 *
 * Measures whole runs of dist/leash.cjs, with the control plane absent, unreachable and connected:
 *
 * - paced: a command that prints 50 MB/s, beside the same into `cat >/dev/null`. The command's own time is what counts.
 * - flat out: a command that prints as fast as it is read, with our own stdout at /dev/null, at a pipe into `cat`, and
 *   with `--quiet`
 *
 * and of each the most memory that the wrapper ever held (VmHWM; Linux only). Then, how much later a command starts.
 * `--node` is the Node that runs the wrapper.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { LEASH_PROGRAM, ROOT } from '../scripts/local/paths.ts';
import { acknowledger } from './acknowledger.ts';

const PACE_BYTES_PER_SECOND = 50e6;
const STARTS = 15;
const OUTLETS = ['/dev/null', 'cat', '--quiet'] as const;
/** Where our own stdout goes. */
type Outlet = (typeof OUTLETS)[number];

interface Plane {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
}

interface Measured {
  readonly seconds: number;
  /** What the command left in `noted`. */
  readonly noted: number;
  readonly peakMebibytes: number;
}

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    seconds: { type: 'string', default: '10' },
    mebibytes: { type: 'string', default: '2048' },
  },
});
const place = mkdtempSync(join(tmpdir(), 'leash-bench-'));
const noted = join(place, 'noted');
const plane = await acknowledger();
const token = { LEASH_TOKEN: 'bench' };
const planes: readonly Plane[] = [
  { name: 'absent', env: {} },
  { name: 'unreachable', env: { LEASH_URL: 'http://127.0.0.1:9', ...token } },
  { name: 'connected', env: { LEASH_URL: plane.url, ...token } },
];

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endLeftovers();
    process.exit(1);
  });
}
process.once('exit', () => rmSync(place, { recursive: true, force: true }));

try {
  console.log(`leash run on Node ${execFileSync(options.node, ['--version'], { encoding: 'utf8' })}`);
  await measurePaced();
  await measureFlatOut();
  await measureStart();
} finally {
  plane.close();
  endLeftovers();
}

async function measurePaced(): Promise<void> {
  const producer = join(ROOT, 'bench', 'paced-producer.mjs');
  const command = [process.execPath, producer, String(PACE_BYTES_PER_SECOND), options.seconds, noted];
  const bare = await measure(command, {}, 'cat');
  console.log(`paced at 50 MB/s: ${bare.noted.toFixed(2)} s into cat >/dev/null`);
  for (const { name, env } of planes) {
    const under = await measure(leash(command, '/dev/null'), env, '/dev/null');
    const percent = (100 * (under.noted - bare.noted)) / bare.noted;
    const took = `${under.noted.toFixed(2)} s (${percent.toFixed(1)} %), whole run ${under.seconds.toFixed(2)} s`;
    console.log(`  control plane ${name.padEnd(12)} ${took}, ${peak(under)}`);
  }
}

async function measureFlatOut(): Promise<void> {
  const bytes = Number(options.mebibytes) * 1024 * 1024;
  const command = ['head', '-c', String(bytes), '/dev/zero'];
  const rate = ({ seconds }: Measured) => `${(bytes / 1e6 / seconds).toFixed(0).padStart(5)} MB/s`;
  console.log(`\nflat out: ${rate(await measure(command, {}, 'cat'))} into cat >/dev/null`);
  for (const { name, env } of planes) {
    for (const outlet of OUTLETS) {
      const under = await measure(leash(command, outlet), env, outlet);
      console.log(`  control plane ${name.padEnd(12)} stdout ${outlet.padEnd(10)} ${rate(under)}, ${peak(under)}`);
    }
  }
}

async function measureStart(): Promise<void> {
  const note = `require('fs').writeFileSync(${JSON.stringify(noted)}, String(Date.now()))`;
  const command = [process.execPath, '-e', note];
  const bare = await medianDelay(command);
  const later = async (way: string, wrapped: readonly string[]) => {
    console.log(`  ${(await medianDelay(wrapped)) - bare} ms later by ${way}`);
  };
  console.log(`\nstart of the command, median of ${STARTS}:`);
  await later('node leash.cjs', leash(command, '/dev/null'));
  await later('its launcher', ['sh', ...leash(command, '/dev/null').slice(1)]);
}

/** How many milliseconds after the start a command notes the time. */
async function medianDelay(command: readonly string[]): Promise<number> {
  const delays: number[] = [];
  for (let each = 0; each < STARTS; each += 1) {
    const began = Date.now();
    delays.push((await measure(command, {}, '/dev/null')).noted - began);
  }
  return delays.sort((a, b) => a - b)[STARTS >> 1] ?? Number.NaN;
}

function leash(command: readonly string[], outlet: Outlet): string[] {
  const quiet = outlet === '--quiet' ? [outlet] : [];
  return [options.node, LEASH_PROGRAM, 'run', '--job', 'bench', ...quiet, '--', ...command];
}

/** Runs something to its end. */
async function measure(command: readonly string[], env: NodeJS.ProcessEnv, outlet: Outlet): Promise<Measured> {
  writeFileSync(noted, '0');
  const { LEASH_URL: _url, LEASH_TOKEN: _token, LEASH_TOKEN_FILE: _file, PATH, ...inherited } = process.env;
  const script = outlet === 'cat' ? '"$@" | cat >/dev/null' : 'exec "$@"';
  const began = performance.now();
  const child = spawn('sh', ['-c', script, 'sh', ...command], {
    stdio: 'ignore',
    env: {
      ...inherited,
      ...env,
      // The launcher takes the first Node there.
      PATH: `${dirname(options.node)}${delimiter}${PATH}`,
      LEASH_STATE_DIR: join(place, 'state'),
    },
  });
  let peakMebibytes = 0;
  const look = setInterval(() => {
    peakMebibytes = Math.max(peakMebibytes, wrapperMebibytes(child.pid ?? 0));
  }, 25);
  const [code] = await once(child, 'exit');
  clearInterval(look);
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}`);
  return { seconds: (performance.now() - began) / 1000, noted: Number(readFileSync(noted, 'utf8')), peakMebibytes };
}

function peak({ peakMebibytes }: Measured): string {
  return `at most ${peakMebibytes.toFixed(0)} MiB`;
}

/** The most memory that the wrapper has held until now, if it is `pid` or a child of it. */
function wrapperMebibytes(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    const wrapper = [String(pid), ...children].find((each) => {
      const commandLine = readFileSync(`/proc/${each}/cmdline`, 'utf8');
      return commandLine.includes(`${LEASH_PROGRAM}\0run`) && !commandLine.startsWith('sh\0');
    });
    const status = wrapper === undefined ? '' : readFileSync(`/proc/${wrapper}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    // It has ended, or this is not Linux.
    return 0;
  }
}

/** Ends whatever keeps trying to deliver what these runs have left. */
function endLeftovers(): void {
  if (process.platform !== 'linux') return;
  for (const pid of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`LEASH_STATE_DIR=${place}`)) process.kill(Number(pid));
    } catch {
      // It has ended, or is another user's.
    }
  }
}
