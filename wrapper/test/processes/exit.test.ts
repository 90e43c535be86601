/** Exit codes, the environment, and how long a run that has ended stays. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, sabotage, shell, stderrOf, WAIT } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('an exit code is reported, and passed through, with which job, instance and machine it was', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'env; exit 41'], {
    plane,
    options: ['--instance', 'nightly_1', '--machine', 'db-1.example.com'],
    env: { LEASH_TOKEN_FILE: '/nowhere', KEPT: 'yes' },
  });
  expect(await leash.exited()).toEqual({ code: 41, signal: null });
  const completion = { exit_code: 41, command_exit_code: 41, signal: null, reason: 'exited' };
  expect(await plane.completed()).toMatchObject(completion);
  expect(stderrOf(leash)).toBe('');

  const url = new URL(plane.requests[0]?.url ?? '', plane.url);
  const start = await plane.started();
  expect(url.pathname).toBe('/api/v1/jobs/test/connect');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    run: start.run,
    instance: 'nightly_1',
    machine: 'db-1.example.com',
  });
  expect(start.host).toMatchObject({ user: os.userInfo().username, is_root: process.getuid?.() === 0 });
  expect(start.host?.os).toContain(os.release());
  expect(start.host?.node).toMatch(/^v\d+\./);
  // Nothing of it runs on.
  expect((await plane.completed()).left_running).toBeUndefined();

  // The token is used, and is not in the command's environment.
  expect(plane.requests[0]?.authorization).toBe('Bearer secret-token');
  expect(leash.stdout.toString()).toContain('KEPT=yes');
  expect(leash.stdout.toString()).not.toMatch(/LEASH_TOKEN|secret-token/);
});

test('a signal that ends the command is reported, and passed through as 128 and its number', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'kill -9 $$'], { plane });
  expect(await leash.exited()).toEqual({ code: 137, signal: null });
  const completion = { exit_code: 137, command_exit_code: null, signal: 'SIGKILL', reason: 'signaled' };
  expect(await plane.completed()).toMatchObject(completion);
});

test('wrong usage starts nothing', async () => {
  const mark = marker();
  const leash = leashRun(shell(WAIT, mark), { options: ['--timeout', 'soon'] });
  expect((await leash.exited()).code).toBe(255);
  expect(leash.stderr).toContain('--timeout soon');
  expect(living(mark)).toEqual([]);
});

test('without a control plane the command runs, with our stdin, and one line says that nobody sees it', async () => {
  const leash = leashRun(['sh', '-c', 'cat; exit 4'], { stdio: ['pipe', 'pipe', 'pipe'] });
  leash.process.stdin?.end('given\n');
  expect((await leash.exited()).code).toBe(4);
  expect(leash.stdout.toString()).toBe('given\n');
  expect(leash.stderr).toMatch(/^leash: running unsupervised.*LEASH_URL and LEASH_TOKEN.*\n$/);
});

test('a token file is read again for each connection', async () => {
  const plane = await controlPlane();
  const file = path.join(temporaryDirectory(), 'token');
  fs.writeFileSync(file, 'old-token\n');
  leashRun(shell(WAIT, marker()), { plane, env: { LEASH_TOKEN: '' }, options: ['--token-file', file] });
  await plane.started();
  fs.writeFileSync(file, 'new-token\n');
  const before = plane.requests.length;
  plane.drop();
  await waitFor('another connection', () => plane.requests.length > before);
  expect(plane.requests[0]?.authorization).toBe('Bearer old-token');
  expect(plane.requests.at(-1)?.authorization).toBe('Bearer new-token');
});

test('a fault in the wrapper that nobody caught costs the link, and nothing else', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "echo bye; exit 7" TERM; echo ready; ${WAIT}`, mark), {
    plane,
    options: ['--grace', '1h'],
    env: sabotage('process.once("SIGWINCH", () => { throw new Error("boom") })'),
  });
  await plane.started();
  await waitFor('ready', () => leash.stdout.includes('ready'));
  leash.kill('SIGWINCH');
  await waitFor('the line', () => leash.stderr.includes('boom'));
  leash.kill('SIGTERM');
  expect((await leash.exited()).code).toBe(7);
  expect(leash.stdout.toString()).toContain('bye');
  expect(living(mark)).toEqual([]);
});

const FAILS_AT_ONCE = {
  ...sabotage('Date.prototype.getTime = () => { throw new Error("boom") }'),
  LEASH_URL: 'http://x',
  LEASH_TOKEN: 't',
};

test('a wrapper that fails right after the start still waits for its command, and ends all of it by a signal', async () => {
  const mark = marker();
  const script = `sh -c 'trap "" TERM; echo ready; ${WAIT}' ${mark}-child & wait`;
  const leash = leashRun(shell(script, mark), { options: ['--grace', '100ms'], env: FAILS_AT_ONCE });
  await waitFor('the child', () => leash.stdout.includes('ready'));
  leash.kill('SIGTERM');
  // The leader dies of SIGTERM as a rule, the child of SIGKILL; and on a machine that is slow, both of that.
  expect([143, 137]).toContain((await leash.exited()).code);
  expect(living(mark)).toEqual([]);
  expect(leash.stderr).toContain('boom');
});

test('and by its time limit', async () => {
  const mark = marker();
  const leash = leashRun(shell(`echo out; ${WAIT}`, mark), { options: ['--timeout', '300ms'], env: FAILS_AT_ONCE });
  expect((await leash.exited()).code).toBe(124);
  expect(living(mark)).toEqual([]);
  expect(leash.stderr).toContain('boom');
});
