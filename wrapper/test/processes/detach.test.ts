/** `--detach`: whoever called it is free at once. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { launcherHeader, seal } from '../../src/launch/launcher-header.ts';
import { procTable } from '../../src/processes/proc-table.ts';
import {
  controlPlane,
  LEASH,
  leash,
  leashRun,
  marker,
  PROGRAM,
  shell,
  stateDirectory,
  WAIT,
} from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { placesShowing } from '../support/public-view.ts';
import { guardians, leftIn, usersOf } from '../support/state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const RUN_ID = /^[0-9A-HJKMNP-TV-Z]{26}\n$/;

test('it returns at once with the run’s id, and leaves nothing of the caller’s open', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  // Node closes what lies right above stderr by itself, and not what lies higher.
  const by = ['sh', '-c', 'exec "$@"', 'sh', 'bash', '-c', 'exec 200>&7; exec "$@"', 'bash'];
  const detached = leashRun(shell(`echo out; echo err >&2; ${WAIT}`, mark), {
    plane: store,
    options: ['--detach', '--machine', 'minion'],
    env: { LEASH_STATE_DIR: state },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    by,
  });
  const pipes: readonly unknown[] = detached.process.stdio;
  let extraEnded = false;
  if (pipes[7] instanceof net.Socket) pipes[7].once('close', () => (extraEnded = true)).resume();
  // Exited, and all that it was given closed by everyone: its pipes have reached their end.
  expect(await detached.exited()).toEqual({ code: 0, signal: null });
  await waitFor('the end of descriptors 7 and 200', () => extraEnded);
  expect(detached.stdout.toString()).toMatch(RUN_ID);
  expect(detached.stderr).toBe('');
  const run = await store.run();
  expect(`${run.id}\n`).toBe(detached.stdout.toString());
  await waitFor('the output', () => run.end === 8);
  expect([run.text('stdout'), run.text('stderr')]).toEqual(['out\n', 'err\n']);
  expect(living(mark)).not.toEqual([]);
  expect(placesShowing(run.id, [])).toEqual([]);

  const own = procTable.entry(process.pid)?.sid;
  const sessions = usersOf(state).map((pid) => procTable.entry(pid)?.sid);
  expect(sessions).not.toContain(own);
  expect(new Set(sessions).size).toBeGreaterThan(1);
});

test('the command finds what it would have found in the foreground', async () => {
  const store = await controlPlane();
  const launcher = path.join(temporaryDirectory(), 'leash.mjs');
  fs.writeFileSync(launcher, seal(`${launcherHeader()}\nawait import(${JSON.stringify(PROGRAM)});`), { mode: 0o755 });
  const script = 'ulimit -Sn; grep SigIgn /proc/self/status; pwd; tty; readlink /proc/self/fd/0';
  const run = leashRun(['sh', '-c', script], {
    plane: store,
    options: ['--detach', '--cwd', '/usr'],
    env: { LEASH_STATE_DIR: stateDirectory() },
    by: ['sh', '-c', 'ulimit -Sn 321; trap "" HUP; shift 2; exec "$0" "$@"', launcher],
  });
  expect((await run.exited()).code).toBe(0);
  const stored = await store.run();
  await waitFor('its end', () => stored.isComplete);
  const [files, ignored, ...rest] = stored.text('stdout').split('\n');
  expect([files, ...rest]).toEqual(['321', '/usr', 'not a tty', '/dev/null', '']);
  // SIGHUP is bit 0.
  expect(ignored).toMatch(/[1357bdf]$/);
});

test.runIf(IS_PROOF)('a command that can’t be started is reported to the control plane', async () => {
  const store = await controlPlane();
  const run = leashRun(['/nonexistent/program'], {
    plane: store,
    options: ['--detach'],
    env: { LEASH_STATE_DIR: stateDirectory() },
  });
  expect((await run.exited()).code).toBe(0);
  const stored = await store.run();
  await waitFor('its end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ exit_code: 255, reason: 'start_failed' });
  expect(stored.text('stderr')).toContain('cannot start /nonexistent/program');
});

test.runIf(IS_PROOF)('a mistake on the command line is reported in the foreground', async () => {
  const run = leash(['run', '--detach', '--job', 'test', '--grace', 'soon', '--', 'true']);
  expect((await run.exited()).code).toBe(255);
  expect(run.stdout.toString()).toBe('');
  expect(run.stderr).toContain('--grace');
});

test('what is wrong with the settings is reported in the foreground, and the command runs all the same', async () => {
  const directory = temporaryDirectory();
  const config = path.join(directory, 'leash.conf');
  fs.writeFileSync(config, 'LEASH_URI=https://leash.example\n');
  const ran = path.join(directory, 'ran');
  const base = { LEASH_STATE_DIR: stateDirectory(), LEASH_CONFIG: config, LEASH_TOKEN: 'x', LEASH_REDACT: '(' };
  const run = leashRun(['touch', ran], { options: ['--detach'], env: base });
  expect((await run.exited()).code).toBe(0);
  expect(run.stdout.toString()).toMatch(RUN_ID);
  expect(run.stderr.split('\n')).toEqual([
    `leash: ${config}, line 1: unknown setting LEASH_URI, ignored`,
    expect.stringMatching(/^leash: LEASH_REDACT: .* is hidden/),
    expect.stringMatching(/^leash: running unsupervised, .*: set LEASH_URL, e\.g\. in/),
    '',
  ]);
  await waitFor('the command', () => fs.existsSync(ran));

  if (!IS_PROOF) return;
  for (const [options, why] of [
    [['--url', 'leash.example'], /^leash: running unsupervised, .*: LEASH_URL is not an http/],
    [['--url', 'http://127.0.0.1:1', '--token-file', '/nonexistent'], /^leash: not supervised: cannot read the token/],
    [['--url', 'http://leash.invalid', '--max-offline', '1s'], /^leash: the token is sent unencrypted/],
    [['--url', 'http://127.0.0.1:1', '--log', '/nowhere/log'], /^leash: the log file \/nowhere\/log can't be written/],
  ] as const) {
    const other = leashRun(['true'], {
      options: ['--detach', ...options],
      env: { LEASH_STATE_DIR: base.LEASH_STATE_DIR, LEASH_TOKEN: 'x' },
    });
    expect((await other.exited()).code).toBe(0);
    expect(other.stderr).toMatch(why);
    expect(other.stderr.split('\n')).toHaveLength(2);
  }
});

test.runIf(IS_PROOF)('a caller that reads nothing of what it prints has the command run all the same', async () => {
  const ran = path.join(temporaryDirectory(), 'ran');
  const run = leashRun(['touch', ran], {
    options: ['--detach'],
    env: { LEASH_STATE_DIR: stateDirectory() },
    by: ['bash', '-c', 'exec > >(:) 2>&1; wait $!; exec "$@"', 'bash'],
  });
  expect((await run.exited()).code).toBe(0);
  await waitFor('the command', () => fs.existsSync(ran));
});

test('a lock that the caller holds is free when the run is over, whatever the wrapper left in the background', async () => {
  const state = stateDirectory();
  const lock = path.join(state, 'lock');
  const holdLock = ['bash', '-c', `exec 200>${lock}; flock -n 200 || exit 99; exec "$@"`, 'bash'];
  const run = leashRun(['true'], {
    plane: { url: 'http://127.0.0.1:1' },
    env: { LEASH_STATE_DIR: state },
    by: holdLock,
  });
  expect((await run.exited()).code).toBe(0);
  expect(leftIn(state)).toHaveLength(1);
  await waitFor('a flusher', () => usersOf(state).length > 0);
  expect(spawnSync('flock', ['-n', lock, 'true']).status).toBe(0);
});

test('a nested run is a run of its own, and its flusher is not part of the outer one', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const inner = `LEASH_URL=http://127.0.0.1:1 LEASH_TOKEN=x ${LEASH} run --job inner --`;
  const run = leashRun(shell(`${inner} sh -c 'echo inner; exit 3'; echo $?; ${WAIT}`, mark), {
    plane: store,
    env: { LEASH_STATE_DIR: state },
  });
  const stored = await store.run();
  await waitFor('the end of the inner run', () => stored.text('stdout') === 'inner\n3\n');
  const flusher = await waitFor('its flusher', () => usersOf(state).find((pid) => isFlush(pid)));
  expect(fs.readFileSync(`/proc/${flusher}/environ`, 'latin1')).not.toContain('LEASH_RUN_');
  run.kill('SIGTERM');
  expect((await run.exited()).code).toBe(143);
  expect(living(mark)).toEqual([]);
  await waitFor('no guardian', () => guardians(state).length === 0);
});

function isFlush(pid: number): boolean {
  return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('\0flush\0');
}
