/** The command is to notice nothing of the wrapper, and neither are those who stand around it. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import {
  controlPlane,
  LEASH,
  leashRun,
  marker,
  NODE,
  ofThisTest,
  PROGRAM,
  sabotage,
  shell,
  stderrOf,
  WAIT,
} from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isLinux = process.platform === 'linux';
/** A directory for PATH, with the Node that is tested. */
function nodeDirectory(): string {
  const directory = temporaryDirectory();
  fs.symlinkSync(NODE, path.join(directory, 'node'));
  return directory;
}

/** Runs `leash run <script>` in a shell that redirects as `redirection` says. */
function leashBy(redirection: string, script: string) {
  const env = { PATH: process.env.PATH, ...ofThisTest() };
  return spawnSync('/bin/sh', ['-c', `exec ${LEASH} run --job test --shell -- "$SCRIPT" ${redirection}`], {
    env: { ...env, SCRIPT: script },
    encoding: 'utf8',
    timeout: WAIT_LIMIT_MS,
  });
}

/** Every byte there is, in an order that no text has. */
const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

/** What a command can see of how it was started. */
const LOOK = [
  'ulimit -Sn',
  'umask',
  'id -G',
  'grep -E "^Sig(Ign|Blk)" /proc/self/status',
  'pwd',
  'env | grep -v "^LEASH_RUN_" | grep -v "^_=" | sort',
  'ls /proc/self/fd',
].join('; ');

/** Bash opens the first at 10 or above; 63 is where it puts `<(…)`. */
const OPEN = 'exec {lock}</etc/passwd 4</etc/passwd 16</etc/passwd 17</etc/passwd 63</etc/passwd';

test.runIf(isLinux)('a command sees what it would see without the wrapper', () => {
  const bin = nodeDirectory();
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: bin, LANG: 'C', ...ofThisTest() };
  const look = (command: string) =>
    spawnSync(
      'bash',
      ['--norc', '-c', `ulimit -Sn 333; umask 027; trap '' HUP USR2; ${OPEN}; exec ${command} sh -c '${LOOK}'`],
      {
        env,
        encoding: 'utf8',
        cwd: bin,
        timeout: WAIT_LIMIT_MS,
      },
    );
  const without = look('env');
  const within = look(`${PROGRAM} run --job test --`);
  expect(within.stdout).toBe(without.stdout);
  expect(within.status).toBe(0);
  expect(without.stdout).toMatch(/^333\n0027\n/);
});

test('with --merge the order is exact, also of output that is opened by path', async () => {
  const plane = await controlPlane();
  const script = 'i=0; while [ $i -lt 100 ]; do echo o$i >/dev/stdout; echo e$i >/dev/stderr; i=$((i + 1)); done';
  const leash = leashRun(['sh', '-c', script], { plane, options: ['--merge'] });
  expect((await leash.exited()).code).toBe(0);
  const expected = Array.from({ length: 100 }, (_, i) => `o${i}\ne${i}\n`).join('');
  await plane.completed();
  expect(leash.stdout.toString()).toBe(expected);
  expect(plane.stored.toString()).toBe(expected);
  expect(stderrOf(leash)).toBe('');
});

test('any bytes pass, from stdin to stdout and to the control plane', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['cat'], { plane, stdio: ['pipe', 'pipe', 'pipe'] });
  leash.process.stdin?.end(BYTES);
  expect((await leash.exited()).code).toBe(0);
  await plane.completed();
  expect(leash.stdout.equals(BYTES)).toBe(true);
  expect(plane.stored.equals(BYTES)).toBe(true);
});

test('a closed stdin and a closed stderr do no harm', () => {
  const { status, stdout } = leashBy('<&- 2>&-', 'cat; echo x >&2; echo done; exit 5');
  expect(stdout).toContain('done\n');
  expect(status).toBe(5);
});

test('stdin is the command’s, and a closed stdout does no harm', () => {
  const { status, stderr } = leashBy('>&- </etc/passwd', 'echo x; readlink /proc/self/fd/0 >&2; exit 5');
  expect(stderr).toContain('/etc/passwd\n');
  expect(status).toBe(5);
});

test.runIf(IS_PROOF)('a full disk and a file as stdout do no harm', () => {
  const full = leashBy('>/dev/full', 'echo x; exit 5');
  expect(full.status).toBe(5);
  expect(full.stderr).toMatch(/no longer passed on.*no space left/i);
  const file = path.join(temporaryDirectory(), 'out');
  expect(leashBy(`>>${file} </dev/null`, 'echo x; exit 5').status).toBe(5);
  expect(fs.readFileSync(file, 'utf8')).toBe('x\n');
});

test('--quiet shows nothing of the command, and our own lines all the same', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(`echo out; echo err >&2; ${WAIT}`, marker()), { plane, options: ['--quiet'] });
  await waitFor('its output', () => plane.stored.length === 8);
  plane.kill(newKillId());
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.toString()).toContain('out\nerr\n');
  expect(leash.stdout.toString()).toBe('');
  expect(stderrOf(leash)).toBe('leash: killed by tester\n');
});

const hasScript = spawnSync('script', ['--version']).status === 0;

test.runIf(isLinux && hasScript)(
  'a terminal that nobody reads holds neither the command nor the wrapper up',
  async () => {
    const plane = await controlPlane();
    const unread = path.join(temporaryDirectory(), 'unread');
    execFileSync('mkfifo', [unread]);
    const fd = fs.openSync(unread, fs.constants.O_RDWR);
    const command = `${LEASH} run --job test -- sh -c 'seq 1 300000; exit 3'`;
    const terminal = spawn('script', ['-qfc', command, '/dev/null'], {
      stdio: ['ignore', fd, 'ignore'],
      env: {
        ...process.env,
        ...ofThisTest(),
        LEASH_URL: plane.url,
        LEASH_TOKEN: 't',
      },
    });
    onTestFinished(() => {
      terminal.kill('SIGKILL');
      fs.closeSync(fd);
    });
    expect(await plane.completed()).toMatchObject({ exit_code: 3, final_offset: 1_988_895 });
  },
);

test.runIf(isLinux && hasScript)(
  'a terminal that goes away costs the run neither its end nor its exit code',
  async () => {
    const plane = await controlPlane();
    const directory = temporaryDirectory();
    const [release, code] = [path.join(directory, 'release'), path.join(directory, 'code')];
    execFileSync('mkfifo', [release]);
    const run = `sh -c 'echo ready; read -r _ <${release}; exit 6'`;
    const line = `trap '' HUP; ${PROGRAM} run --job test -- ${run}; echo $? > ${code}.new; mv ${code}.new ${code}`;
    const terminal = spawn('script', ['-qfc', line, '/dev/null'], {
      stdio: 'ignore',
      env: {
        ...process.env,
        PATH: `${nodeDirectory()}:${process.env.PATH}`,
        ...ofThisTest(),
        LEASH_URL: plane.url,
        LEASH_TOKEN: 't',
      },
    });
    const gone = new Promise((resolve) => terminal.once('exit', resolve));
    await waitFor('ready', () => plane.stored.includes('ready'));
    terminal.kill('SIGKILL');
    await gone;
    await fs.promises.writeFile(release, '\n');
    await waitFor('its exit code', () => fs.existsSync(code));
    expect(fs.readFileSync(code, 'utf8')).toBe('6\n');
    expect(await plane.completed()).toMatchObject({ exit_code: 6, reason: 'exited' });
  },
);

test('nohup: a SIGHUP, and a SIGALRM that is ignored likewise, harm neither the command nor the wrapper', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell('echo ready; read -r _; exit 6', mark), {
    plane,
    env: { PATH: `${nodeDirectory()}:${process.env.PATH}` },
    // In the place of Node and our sources.
    by: ['sh', '-c', `trap "" HUP ALRM; shift 2; exec ${PROGRAM} "$@"`, 'sh'],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  for (const signal of ['SIGHUP', 'SIGALRM'] as const) {
    leash.kill(signal);
    for (const pid of living(mark)) process.kill(pid, signal);
  }
  leash.process.stdin?.end('\n');
  expect((await leash.exited()).code).toBe(6);
});

test('SIGUSR1 and SIGUSR2 are passed on to the command alone, and mean nothing to the wrapper itself', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const traps = `trap 'echo got-1' USR1; trap 'echo got-2' USR2`;
  const leash = leashRun(shell(`${traps}; sh -c 'sleep 1000; :' $0-child & echo ready; while :; do wait; done`, mark), {
    plane,
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  leash.kill('SIGUSR1');
  await waitFor('the first signal', () => plane.stored.includes('got-1'));
  leash.kill('SIGUSR2');
  await waitFor('the second signal', () => plane.stored.includes('got-2'));
  // Those who do not handle it would die of it.
  expect(living(`${mark}-child`)).toHaveLength(1);
  // Not "Debugger listening".
  expect(leash.stderr).toBe('');
});

test.runIf(isLinux)('Ctrl-Z stops the command and the wrapper, and SIGCONT lets both continue', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const child = `sh -c 'echo ready; sleep 1000; :' ${mark}-child`;
  const leash = leashRun(shell(`trap 'exit 6' USR1; ${child} & while :; do wait; done`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const wrapper = leash.process.pid ?? 0;
  const all = () => [wrapper, ...living(mark)].map(stateOf);
  expect(all()).toHaveLength(3);
  leash.kill('SIGTSTP');
  await waitFor('all to be stopped', () => all().every((state) => state === 'T'));
  leash.kill('SIGCONT');
  await waitFor('all to go on', () => all().every((state) => state !== 'T'));
  leash.kill('SIGUSR1');
  expect((await leash.exited()).code).toBe(6);
});

/** As `ps` writes it; empty for a process that is gone. */
function stateOf(pid: number): string {
  try {
    return /^\d+ \(.*\) (\S)/s.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? '';
  } catch {
    // ENOENT: it was one of those that live for a moment.
    return '';
  }
}

test('a command is started where its directory has been deleted, as it would be without us', async () => {
  const leave = ['sh', '-c', 'cd "$(mktemp -d)" && rmdir "$PWD" && exec "$@"', 'sh'];
  const leash = leashRun(['sh', '-c', 'echo ran'], { by: leave });
  expect(await leash.exited()).toEqual({ code: 0, signal: null });
  expect(leash.stdout.toString()).toBe('ran\n');
  if (!IS_PROOF) return;
  expect((await leashRun(['./ran'], { by: leave }).exited()).code).toBe(255);
  const detached = leashRun(['true'], { by: leave, options: ['--detach'] });
  expect((await detached.exited()).code).toBe(0);
});

test('the command does not wait for cryptography, the network code or anything else that only the wrapper needs', async () => {
  const leash = leashRun(['true'], {
    env: sabotage(`
      import childProcess from 'node:child_process';
      const { spawn } = childProcess;
      const early = new Set(process.moduleLoadList);
      childProcess.spawn = (...given) => {
        const loaded = process.moduleLoadList.filter((each) => !early.has(each));
        if (given[2]?.detached) console.error('loaded: ' + loaded.join(', ') + '.');
        return spawn(...given);
      };`),
  });
  expect(await leash.exited()).toEqual({ code: 0, signal: null });
  const [, loaded = ''] = /^loaded: (.*)\.$/m.exec(leash.stderr) ?? [];
  expect(loaded).toContain('NativeModule perf_hooks');
  for (const name of ['crypto', 'dns', 'http', 'tls', 'zlib']) expect(loaded).not.toContain(`NativeModule ${name}`);
});
