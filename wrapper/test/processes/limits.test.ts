/**
 * The limits a run sets itself, and signals and kills that meet them. When a limit is reached is shown in
 * unit/limits.test.ts; here, that a whole wrapper heeds it, by a clock that the test moves.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { MOVABLE_CLOCK, moveClock } from '../support/clock.ts';
import { controlPlane, leashRun, marker, shell, WAIT } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const isRoot = process.getuid?.() === 0;
const HOUR_MS = 3_600_000;

test('silence for longer than the idle limit, counted from the last output, ends the run: 124, and why', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(`echo first; read -r _; echo second >&2; ${WAIT}`, marker()), {
    plane,
    options: ['--idle-timeout', '1h'],
    env: MOVABLE_CLOCK,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await waitFor('the first line', () => plane.stored.includes('first'));
  await moveClock(leash, 1);
  leash.process.stdin?.write('\n');
  await waitFor('the second line', () => plane.stored.includes('second'));
  await moveClock(leash, 2);
  expect((await leash.exited()).code).toBe(124);
  const { reason, exit_code, duration_ms } = await plane.completed();
  expect({ reason, exit_code }).toEqual({ reason: 'idle_timeout', exit_code: 124 });
  // All three steps of the clock: after the second it had been silent for 45 minutes.
  expect(duration_ms).toBeGreaterThan(2 * HOUR_MS);
  expect(leash.stderr).toContain('leash: the command has printed nothing for 1h: ending the command\n');
});

const OUT_OF_REACH = ['never there', 'not even configured', 'refusing us'];

test.each(sampleOf(OUT_OF_REACH))(
  'a control plane that is %s counts from the start as out of reach: 253',
  async (how) => {
    const plane = await controlPlane();
    if (how === 'refusing us') plane.script.refuse = 401;
    else await plane.stop();
    const leash = leashRun(shell('sleep 1000; :', marker()), {
      ...(how === 'not even configured' ? {} : { plane }),
      options: ['--max-offline', '500ms'],
    });
    expect((await leash.exited()).code).toBe(253);
    expect(leash.stderr).toContain('leash: the control plane has been unreachable for 500ms: ending the command\n');
  },
);

test('a run that is connected, and one that is connected again, is not unsupervised', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell('read -r _; exit 6', marker()), {
    plane,
    options: ['--max-offline', '1h'],
    env: MOVABLE_CLOCK,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await plane.started();
  // Two losses of contact that together are longer than the limit, and a connection that is longer.
  for (let each = 0; each < 2; each += 1) {
    const before = plane.of('start').length;
    await plane.stop();
    await moveClock(leash, 1);
    await plane.listen();
    await waitFor('the link to be back', () => plane.of('start').length > before && plane.connected);
  }
  await moveClock(leash, 2);
  leash.process.stdin?.end('\n');
  expect((await leash.exited()).code).toBe(6);
});

test('a limit sends the configured signal first', async () => {
  const plane = await controlPlane();
  // What ends it is the signal itself.
  const leash = leashRun(shell('exec sleep 1000', marker()), {
    plane,
    options: ['--timeout', '700ms', '--signal', 'INT', '--grace', '1h'],
  });
  expect((await leash.exited()).code).toBe(124);
  expect(await plane.completed()).toMatchObject({ reason: 'timeout', signal: 'SIGINT', exit_code: 124 });
  expect(plane.of('killing')[0]).toMatchObject({ phase: 'term', signal: 'SIGINT', reason: 'timeout' });
  expect(await plane.started()).toMatchObject({ limits: { timeout_ms: 700, grace_ms: HOUR_MS } });
});

test('a limit during the grace of a kill: the kill was first, and its grace is not made longer', async () => {
  const plane = await controlPlane();
  const leash = leashRun(shell(`trap "" TERM; echo ready; ${WAIT}`, marker()), {
    plane,
    options: ['--timeout', '1h', '--grace', '0'],
    env: MOVABLE_CLOCK,
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 24 * HOUR_MS });
  await waitFor('term', () => plane.phases(kill).includes('term'));
  await moveClock(leash, 2);
  expect((await leash.exited()).code).toBe(143);
  expect(await plane.completed()).toMatchObject({ reason: 'operator', exit_code: 143 });
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

test.runIf(isRoot)('what may not be signalled is reported as a survivor, with its pid', async (context) => {
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
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 0 });
  expect((await leash.exited()).code).toBe(143);
  const left = living(mark);
  expect(left).toEqual(living(`${mark}-root`));
  expect(left.length).toBeGreaterThan(0);
  const gone = plane.of('killing').at(-1);
  expect(gone).toMatchObject({ kill, phase: 'gone' });
  // The shell there, and its sleep.
  expect(gone?.survivors).toEqual(expect.arrayContaining(left));
  expect(leash.stderr).toMatch(
    new RegExp(`^leash: could not end .*\\b${left[0]}\\b.*still running after SIGKILL`, 'm'),
  );
});

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
    const leash = leashRun(['sh', '-c', 'read -r _; exec "$0" 1000', program], {
      plane,
      by: [...HIDING, ...NOBODY],
      env: { LEASH_STATE_DIR: path.join(directory, 'state') },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { pid } = await plane.started();
    // Not at once: the wrapper has seen it by now.
    leash.process.stdin?.end('\n');
    await waitFor('the command itself', () => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(program));
    const kill = newKillId();
    plane.kill(kill, { grace_ms: HOUR_MS });
    expect((await leash.exited()).code).toBe(143);
    expect(plane.phases(kill)).toEqual(['term', 'gone']);
  },
);
