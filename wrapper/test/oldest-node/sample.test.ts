/**
 * The program as it is shipped, on the oldest Node that it must run on: in `npm test` instead of the files in ../processes
 * whose subject Node has a part in, which the proof runs on it too (vitest.node18.config.ts).
 */
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { gate } from '../support/gate.ts';
import { controlPlane, leashRun, marker, shell, stderrOf, WAIT } from '../support/leash.ts';
import { living } from '../support/processes.ts';

test('a run that succeeds is reported with the output of both streams, its secrets hidden', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'echo "out $DB_PASSWORD"; echo err >&2'], {
    plane,
    env: { DB_PASSWORD: 'hunter2-is-not-it' },
  });
  expect(await leash.exited()).toEqual({ code: 0, signal: null });
  expect(leash.stdout.toString()).toBe('out hunter2-is-not-it\n');
  expect(stderrOf(leash)).toBe('err\n');
  const completion = { exit_code: 0, command_exit_code: 0, reason: 'exited' };
  expect(await plane.completed()).toMatchObject(completion);
  expect(plane.stored.toString().split('\n').toSorted()).toEqual(['', 'err', 'out [REDACTED]']);
});

test('a kill ends the command with a child that ignores SIGTERM', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const child = `sh -c 'trap "" TERM; echo ready; ${WAIT}' ${mark}-child`;
  const leash = leashRun(shell(`${child} & ${WAIT}`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 300 });
  expect((await leash.exited()).code).toBe(143);
  expect(living(mark)).toEqual([]);
  expect(plane.phases(kill)).toEqual(['term', 'kill', 'gone']);
});

test('wrong usage is said on stderr: 255', async () => {
  const leash = leashRun(['echo', 'ran'], { options: ['--timeout', 'soon'] });
  expect((await leash.exited()).code).toBe(255);
  expect(leash.stdout.toString()).toBe('');
  expect(leash.stderr).toContain('--timeout soon');
});

test('a run whose wrapper is killed is taken over, and its output continues without a gap', async () => {
  const plane = await controlPlane();
  const go = gate();
  const leash = leashRun(shell(`echo one; ${go.wait}; echo two`, marker()), { plane });
  const run = await plane.run();
  await waitFor('the first line', () => run.text('stdout') === 'one\n');
  leash.kill('SIGKILL');
  go.open();
  await waitFor('the end', () => run.isComplete);
  expect(run.text('stdout')).toBe('one\ntwo\n');
  expect(run.completions[0]?.reason).toBe('exit_unknown');
});
