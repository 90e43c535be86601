/**
 * What the wrapper costs a command that prints much, and one that prints nothing.
 *
 *     npm run build && node bench/wrapper-throughput.ts [--node PATH] [--rounds 3] [--seconds 10] [--mebibytes 2048]
 *
 * Measures whole runs of dist/leash.cjs, with the control plane absent, unreachable, connected, and connected by TLS:
 *
 * - paced: a command that prints 50 MB/s, beside the same into `cat >/dev/null`. The command's own time is what counts.
 * - flat out: a command that prints as fast as it is read, with our own stdout at /dev/null, at a pipe into `cat`, and
 *   with `--quiet`
 *
 * Each round measures all of it once, so that what else the machine does meets all alike; told are the medians. With each
 * goes the wrapper's own CPU time, because the control plane that it talks to is here, on the same processors, and decrypts
 * what it encrypts; and the most memory that it ever held (VmHWM). Both on Linux only. Then, how much later a command
 * starts. `--node` is the Node that runs the wrapper.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { LEASH_PROGRAM, ROOT } from '../scripts/local/paths.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { AUTHORITY, GOOD, KEY } from '../wrapper/test/support/certificates.ts';

const PACE_BYTES_PER_SECOND = 50e6;
const STARTS = 15;
const OUTLETS = ['/dev/null', 'cat', '--quiet'] as const;
/** Where our own stdout goes. */
type Outlet = (typeof OUTLETS)[number];

interface Plane {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What a wrapper has used. */
interface Used {
  readonly cpuSeconds: number;
  readonly peakMebibytes: number;
}

interface Measured extends Used {
  readonly seconds: number;
  /** What the command left in `noted`. */
  readonly noted: number;
}

const { values: options } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    mebibytes: { type: 'string', default: '2048' },
  },
});
const rounds = Number(options.rounds);
const place = mkdtempSync(join(tmpdir(), 'leash-bench-'));
const noted = join(place, 'noted');
const authority = join(place, 'ca.pem');
writeFileSync(authority, AUTHORITY);
const plain = await new FakeControlPlane({ keepsOutput: false }).listen();
const secure = await new FakeControlPlane({ tls: { key: KEY, cert: GOOD }, keepsOutput: false }).listen();
for (const { script } of [plain, secure]) Object.assign(script, { heartbeatMs: 5_000, silenceMs: 15_000 });
const token = { LEASH_TOKEN: 'bench' };
const planes: readonly Plane[] = [
  { name: 'absent', env: {} },
  { name: 'unreachable', env: { LEASH_URL: 'http://127.0.0.1:9', ...token } },
  { name: 'connected', env: { LEASH_URL: plain.url, ...token } },
  { name: 'by TLS', env: { LEASH_URL: secure.url, LEASH_CA_FILE: authority, ...token } },
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
  await plain.stop();
  await secure.stop();
  endLeftovers();
}

async function measurePaced(): Promise<void> {
  const producer = join(ROOT, 'bench', 'paced-producer.mjs');
  const command = [process.execPath, producer, String(PACE_BYTES_PER_SECOND), options.seconds, noted];
  const bare: Measured[] = [];
  const under = planes.map(({ name, env }) => ({ name, env, measured: [] as Measured[] }));
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await measure(command, {}, 'cat'));
    for (const { env, measured } of under) measured.push(await measure(leash(command, '/dev/null'), env, '/dev/null'));
  }
  console.log(`paced at 50 MB/s: ${median(bare.map(({ noted }) => noted)).toFixed(2)} s into cat >/dev/null`);
  for (const { name, measured } of under) {
    const percents = measured.map(({ noted }, round) => 100 * (noted / (bare[round]?.noted ?? Number.NaN) - 1));
    const took = `${median(measured.map(({ noted }) => noted)).toFixed(2)} s (${median(percents).toFixed(1)} %)`;
    const whole = `whole run ${median(measured.map(({ seconds }) => seconds)).toFixed(2)} s`;
    console.log(`  control plane ${name.padEnd(12)} ${took}, ${whole}, ${describeUsed(measured)}`);
  }
}

async function measureFlatOut(): Promise<void> {
  const bytes = Number(options.mebibytes) * 1024 * 1024;
  const command = ['head', '-c', String(bytes), '/dev/zero'];
  const rate = (measured: readonly Measured[]) =>
    `${(bytes / 1e6 / median(measured.map(({ seconds }) => seconds))).toFixed(0).padStart(5)} MB/s`;
  const bare: Measured[] = [];
  const under = planes.flatMap(({ name, env }) =>
    OUTLETS.map((outlet) => ({ name, env, outlet, measured: [] as Measured[] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await measure(command, {}, 'cat'));
    for (const { env, outlet, measured } of under) measured.push(await measure(leash(command, outlet), env, outlet));
  }
  console.log(`\nflat out: ${rate(bare)} into cat >/dev/null`);
  for (const { name, outlet, measured } of under) {
    const way = `control plane ${name.padEnd(12)} stdout ${outlet.padEnd(10)}`;
    console.log(`  ${way} ${rate(measured)}, ${describeUsed(measured)}`);
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
  await later('node leash.cjs', [options.node, ...leash(command, '/dev/null').slice(1)]);
  await later('its launcher', leash(command, '/dev/null'));
}

/** How many milliseconds after the start a command notes the time. */
async function medianDelay(command: readonly string[]): Promise<number> {
  const delays: number[] = [];
  for (let each = 0; each < STARTS; each += 1) {
    const began = Date.now();
    delays.push((await measure(command, {}, '/dev/null')).noted - began);
  }
  return median(delays);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Through its launcher, as a crontab's line is. */
function leash(command: readonly string[], outlet: Outlet): string[] {
  const quiet = outlet === '--quiet' ? [outlet] : [];
  return ['sh', LEASH_PROGRAM, 'run', '--job', 'bench', ...quiet, '--', ...command];
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
  let used: Used = { cpuSeconds: 0, peakMebibytes: 0 };
  const look = setInterval(() => {
    used = usedByWrapper(child.pid ?? 0) ?? used;
  }, 25);
  const [code] = await once(child, 'exit');
  clearInterval(look);
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}`);
  return { seconds: (performance.now() - began) / 1000, noted: Number(readFileSync(noted, 'utf8')), ...used };
}

function describeUsed(measured: readonly Used[]): string {
  const cpu = median(measured.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2);
  const peak = Math.max(...measured.map(({ peakMebibytes }) => peakMebibytes)).toFixed(0);
  return `${cpu} s of CPU, at most ${peak} MiB`;
}

/** What the wrapper has used until now, if it is `pid` or a child of it. */
function usedByWrapper(pid: number): Used | null {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    const wrapper = [String(pid), ...children].find((each) => {
      const commandLine = readFileSync(`/proc/${each}/cmdline`, 'utf8');
      return commandLine.includes(`${LEASH_PROGRAM}\0run`) && !commandLine.startsWith('sh\0');
    });
    if (wrapper === undefined) return null;
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${wrapper}/status`, 'utf8'))?.[1];
    // After the name, which may hold blanks: fields 14 and 15 of proc(5), in hundredths of a second.
    const fields = readFileSync(`/proc/${wrapper}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / 100;
    // It has no memory any more while it exits.
    return peak === undefined ? null : { cpuSeconds, peakMebibytes: Number(peak) / 1024 };
  } catch {
    // It has ended, or this is not Linux.
    return null;
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
