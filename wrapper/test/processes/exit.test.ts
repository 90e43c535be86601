/** Exit codes, the environment, and how long a run that has ended stays. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, sabotage, shell } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test.each([
  ['exit 0', 0, { exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' }],
  ['exit 41', 41, { exit_code: 41, command_exit_code: 41, signal: null, reason: 'exited' }],
  ['kill -9 $$', 137, { exit_code: 137, command_exit_code: null, signal: 'SIGKILL', reason: 'signaled' }],
  ['kill -TERM $$', 143, { exit_code: 143, command_exit_code: null, signal: 'SIGTERM', reason: 'signaled' }],
])('%s is reported, and passed through', async (script, code, completion) => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', script], { plane });
  expect(await leash.exited()).toEqual({ code, signal: null });
  expect(await plane.completed()).toMatchObject(completion);
  expect(leash.stderr).toBe('');
});

test.each([
  [['/nonexistent/program'], 'not found'],
  [['/etc/passwd'], 'permission denied'],
])('%j cannot be started: 255, said on stderr and in the output', async (command, why) => {
  const plane = await controlPlane();
  const leash = leashRun(command, { plane });
  expect((await leash.exited()).code).toBe(255);
  const line = `leash: cannot start ${command[0]}: ${why}\n`;
  expect(leash.stderr).toBe(line);
  expect(plane.stored.toString()).toBe(line);
  expect(await plane.started()).toMatchObject({ pid: null, phase: 'ended' });
  expect(await plane.completed()).toMatchObject({ exit_code: 255, command_exit_code: null, reason: 'start_failed' });
});

test('wrong usage starts nothing', async () => {
  const mark = marker();
  const leash = leashRun(shell('sleep 1000; :', mark), { options: ['--timeout', 'soon'] });
  expect((await leash.exited()).code).toBe(255);
  expect(leash.stderr).toContain('--timeout soon');
  expect(living(mark)).toEqual([]);
});

test('without a control plane the command runs, and one line says that nobody sees it', async () => {
  const leash = leashRun(['sh', '-c', 'echo out; exit 4']);
  expect((await leash.exited()).code).toBe(4);
  expect(leash.stdout.toString()).toBe('out\n');
  expect(leash.stderr).toMatch(/^leash: running unsupervised.*LEASH_URL and LEASH_TOKEN.*\n$/);
});

test('the token is used, and is not in the command’s environment', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['env'], { plane, env: { LEASH_TOKEN_FILE: '/nowhere', KEPT: 'yes' } });
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.toString()).toContain('KEPT=yes');
  expect(leash.stdout.toString()).not.toMatch(/LEASH_TOKEN|secret-token/);
  expect(plane.requests[0]?.authorization).toBe('Bearer secret-token');
});

test('the run says which job, instance and machine it is', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['true'], { plane, options: ['--instance', 'nightly_1', '--machine', 'db-1.example.com'] });
  expect((await leash.exited()).code).toBe(0);
  const url = new URL(plane.requests[0]?.url ?? '', plane.url);
  const start = await plane.started();
  expect(url.pathname).toBe('/api/v1/jobs/test/connect');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    run: start.run,
    instance: 'nightly_1',
    machine: 'db-1.example.com',
  });
});

test('a token file is read again for each connection', async () => {
  const plane = await controlPlane();
  const file = path.join(temporaryDirectory(), 'token');
  fs.writeFileSync(file, 'old-token\n');
  const mark = marker();
  leashRun(shell('sleep 1000; :', mark), { plane, env: { LEASH_TOKEN: '' }, options: ['--token-file', file] });
  await plane.started();
  fs.writeFileSync(file, 'new-token\n');
  plane.drop();
  await waitFor('a second connection', () => plane.of('start').length > 1);
  expect(plane.requests.map((each) => each.authorization)).toEqual(['Bearer old-token', 'Bearer new-token']);
});

test('the command has our stdin', async () => {
  const leash = leashRun(['cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  leash.process.stdin?.end('given\n');
  expect((await leash.exited()).code).toBe(0);
  expect(leash.stdout.toString()).toBe('given\n');
});

test('a fault in the wrapper that nobody caught costs the link, and nothing else', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell('trap "echo bye; exit 7" TERM; while :; do sleep 0.05; done', mark), {
    plane,
    env: sabotage('process.once("SIGUSR2", () => { throw new Error("boom") })'),
  });
  await plane.started();
  leash.kill('SIGUSR2');
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

test('a wrapper that fails right after the start still waits for its command', async () => {
  const mark = marker();
  const leash = leashRun(shell('echo out; sleep 0.3; exit 7', mark), { env: FAILS_AT_ONCE });
  expect((await leash.exited()).code).toBe(7);
  expect(leash.stdout.toString()).toBe('out\n');
  expect(leash.stderr).toContain('boom');
});

test.each(['its time limit', 'a local SIGTERM'])('and ends all of its group by %s', async (way) => {
  const mark = marker();
  const script = `sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' ${mark}-child & wait`;
  const limit = way === 'its time limit' ? ['--timeout', '1s'] : [];
  const leash = leashRun(shell(script, mark), { options: ['--grace', '100ms', ...limit], env: FAILS_AT_ONCE });
  // A time limit may come before.
  await waitFor('the child', () => leash.stdout.includes('ready') || leash.process.exitCode !== null);
  if (limit.length === 0) leash.kill('SIGTERM');
  // The leader dies of SIGTERM, the child of SIGKILL.
  expect((await leash.exited()).code).toBe(limit.length === 0 ? 143 : 124);
  expect(living(mark)).toEqual([]);
});
