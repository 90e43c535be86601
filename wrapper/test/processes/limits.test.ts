/** The limits a run sets itself, and signals and kills that meet them. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { newCommand } from '../support/control-plane.ts';
import { controlPlane, leashRun, marker, shell } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.getuid?.() === 0;
const IGNORING = 'trap "" TERM INT HUP; echo ready; while :; do sleep 0.05; done';

test('output that trickles keeps the idle limit away', async () => {
  const mark = marker();
  const leash = leashRun(shell('for each in 1 2 3 4 5 6 7 8; do sleep 0.5; echo $each >&2; done; exit 6', mark), {
    options: ['--idle-timeout', '3s', '--quiet'],
  });
  expect((await leash.exited()).code).toBe(6);
});

test('silence for longer than the idle limit ends the run: 124, and why', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell('echo once; sleep 1000; :', marker()), { plane, options: ['--idle-timeout', '500ms'] });
  expect((await leash.exited()).code).toBe(124);
  expect(await plane.completed()).toMatchObject({ exit_code: 124, reason: 'idle_timeout' });
  expect(leash.stderr).toBe('leash: the command has printed nothing for 500 ms: ending the command\n');
});

test('a command that waits for its reader is not silent', async () => {
  const leash = leashRun(['sh', '-c', 'seq 1 700000; exit 6'], {
    options: ['--idle-timeout', '2s'],
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { stdout } = leash.process;
  stdout?.once('data', () => {
    stdout.pause();
    setTimeout(() => stdout.resume(), 4_000);
  });
  expect((await leash.exited()).code).toBe(6);
  expect(leash.stdout.length).toBe(4_788_895);
});

test('a control plane that was never there counts from the start: 253', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const leash = leashRun(shell('sleep 1000; :', marker()), { plane, options: ['--max-offline', '500ms'] });
  expect((await leash.exited()).code).toBe(253);
  expect(leash.stderr).toContain('leash: the control plane has been out of reach for 500 ms: ending the command\n');
});

test('so does one that is not even configured', async () => {
  const leash = leashRun(shell('sleep 1000; :', marker()), { options: ['--max-offline', '500ms'] });
  expect((await leash.exited()).code).toBe(253);
});

test('so does one that refuses us', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 401;
  const leash = leashRun(shell('sleep 1000; :', marker()), { plane, options: ['--max-offline', '1s'] });
  expect((await leash.exited()).code).toBe(253);
});

test('a run that is connected, and one that is connected again, is not unsupervised', async () => {
  const plane = await controlPlane();
  const release = path.join(temporaryDirectory(), 'release');
  const leash = leashRun([...shell('while [ ! -e "$1" ]; do sleep 0.05; done; exit 6', marker()), release], {
    plane,
    options: ['--max-offline', '4s'],
  });
  await plane.started();
  // Three losses of contact that together are longer than the limit, and a connection that is longer.
  for (let each = 1; each <= 3; each += 1) {
    await plane.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await plane.listen();
    await waitFor('the link to be back', () => plane.of('start').length > each && plane.connected);
  }
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  fs.writeFileSync(release, '');
  expect((await leash.exited()).code).toBe(6);
});

test.each(['INT', 'hup'])('%s can be what a limit sends first', async (signal) => {
  const plane = await controlPlane();
  const named = `SIG${signal.toUpperCase()}`;
  // What ends it is the signal itself.
  const leash = leashRun(shell('echo ready; exec sleep 1000', marker()), {
    plane,
    options: ['--timeout', '700ms', '--signal', signal, '--grace', '1h'],
  });
  expect((await leash.exited()).code).toBe(124);
  expect(await plane.completed()).toMatchObject({ reason: 'timeout', signal: named, exit_code: 124 });
  expect(plane.of('killing')[0]).toMatchObject({ phase: 'term', signal: named });
});

test('a kill during the grace of a limit: the limit was first', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(IGNORING, marker()), { plane, options: ['--timeout', '700ms', '--grace', '1h'] });
  await waitFor('term', () => plane.phases(null).includes('term'));
  const command = newCommand();
  plane.kill(command, { signal: 'SIGKILL' });
  expect((await leash.exited()).code).toBe(124);
  expect(plane.phases(command)).toEqual(['kill', 'gone']);
  expect(await plane.completed()).toMatchObject({ reason: 'timeout', exit_code: 124 });
});

test('a limit during the grace of a kill: the kill was first, and its grace is not made longer', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(IGNORING, marker()), { plane, options: ['--timeout', '3s', '--grace', '0'] });
  await waitFor('ready', () => plane.stored.includes('ready'));
  plane.kill(newCommand(), { grace_ms: 3_600_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(await plane.completed()).toMatchObject({ reason: 'operator', exit_code: 143 });
});

test('a kill and the time limit at the same moment: one of them is the cause, all the way', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(IGNORING, marker()), { plane, options: ['--timeout', '2s', '--grace', '200ms'] });
  const { age_ms } = await plane.started();
  const command = newCommand();
  setTimeout(() => plane.connected && plane.kill(command, { grace_ms: 200 }), 2_000 - age_ms);
  const { code } = await leash.exited();
  const { reason, exit_code } = await plane.completed();
  expect([
    { code: 124, reason: 'timeout' },
    { code: 143, reason: 'operator' },
  ]).toContainEqual({ code, reason });
  expect(exit_code).toBe(code);
  expect(plane.phases(null).filter((each) => each === 'gone').length).toBeLessThanOrEqual(1);
});

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** A program that makes any user root, as sudo does; null where that is not possible. */
function becomeRoot(directory: string): string | null {
  const program = path.join(directory, 'become-root');
  execFileSync('cp', [execFileSync('which', ['setpriv'], { encoding: 'utf8' }).trim(), program]);
  fs.chmodSync(program, 0o4755);
  const [command = '', ...args] = [...NOBODY, program, '--reuid=0', 'id', '-ru'];
  return spawnSync(command, args, { encoding: 'utf8' }).stdout?.trim() === '0' ? program : null;
}

test.runIf(isRoot)(
  'what may not be signalled is told as a survivor, with its pid',
  async (context) => {
    const directory = temporaryDirectory();
    fs.chmodSync(directory, 0o777);
    const root = becomeRoot(directory);
    if (root === null) return context.skip('no program can change the user here');
    const plane = await controlPlane();
    const mark = marker();
    const script = `${root} --reuid=0 sh -c 'echo ready; sleep 1000; :' ${mark}-root & trap "" TERM; sleep 1000; :`;
    const leash = leashRun(shell(script, mark), {
      plane,
      by: NOBODY,
      env: { LEASH_STATE_DIR: path.join(directory, 'state') },
    });
    await waitFor('ready', () => plane.stored.includes('ready'));
    const command = newCommand();
    plane.kill(command, { grace_ms: 0 });
    expect((await leash.exited()).code).toBe(143);
    const left = living(mark);
    expect(left).toEqual(living(`${mark}-root`));
    expect(left.length).toBeGreaterThan(0);
    const gone = plane.of('killing').at(-1);
    expect(gone).toMatchObject({ command, phase: 'gone' });
    // The shell there, and its sleep.
    expect(gone?.survivors).toEqual(expect.arrayContaining(left));
    expect(leash.stderr).toMatch(
      new RegExp(`^leash: could not end .*\\b${left[0]}\\b.*still there after SIGKILL`, 'm'),
    );
  },
  30_000,
);

/** Becomes its arguments, where only root sees the processes of others. */
const HIDING = ['unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh'];

test.runIf(isRoot && spawnSync('unshare', [...HIDING.slice(1), 'true']).status === 0)(
  'a command that its wrapper can not see, since it has become root’s, is killed like any other',
  async () => {
    const directory = temporaryDirectory();
    fs.chmodSync(directory, 0o777);
    // It belongs to root by then, yet whoever started it may signal it: as with sudo.
    const program = path.join(directory, 'sleep');
    execFileSync('cp', [execFileSync('which', ['sleep'], { encoding: 'utf8' }).trim(), program]);
    fs.chmodSync(program, 0o4755);
    const plane = await controlPlane();
    // Not at once: the wrapper has seen it by then.
    const leash = leashRun(['sh', '-c', 'sleep 0.3; exec "$0" 1000', program], {
      plane,
      by: [...HIDING, ...NOBODY],
      env: { LEASH_STATE_DIR: path.join(directory, 'state') },
    });
    const { pid } = await plane.started();
    await waitFor('the command itself', () => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(program));
    const command = newCommand();
    plane.kill(command, { grace_ms: 20_000 });
    expect((await leash.exited()).code).toBe(143);
    expect(plane.phases(command)).toEqual(['term', 'gone']);
  },
);
