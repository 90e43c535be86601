/**
 * Ending commands for real: every process here is one. The order of steps is decided in src/kill/decide.ts, and
 * shown in unit/decide.test.ts.
 *
 * Graces are an hour long where something is to happen within them: what ends those is another kill.
 */
import os from 'node:os';
import { assert, expect, test } from 'vitest';
import { type FakeControlPlane, newKillId } from '#testing/fake-control-plane';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, STANDING_CLOCK, sabotage, shell, WAIT } from '../support/leash.ts';
import { living } from '../support/processes.ts';

const HOUR_MS = 3_600_000;

/** A process that has `mark` on its command line and ignores SIGTERM, once it has said so. */
function stubborn(mark: string): string {
  return `sh -c 'trap "" TERM; echo child-ready; ${WAIT}' ${mark}`;
}

/** The output without what some shells say of a child that a signal ended. */
function said(plane: FakeControlPlane): string {
  return plane.stored.toString().replaceAll('Terminated\n', '');
}

async function printed(plane: FakeControlPlane, ...lines: readonly string[]): Promise<void> {
  await waitFor(lines.join(' and '), () => lines.every((line) => `\n${plane.stored}`.includes(`\n${line}\n`)));
}

test('a shell and the sleep it left in the background are both gone after a kill', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'echo ready; sleep 1000; :' ${mark}-child & sleep 1000; :`, mark), { plane });
  await printed(plane, 'ready');
  const kill = newKillId();
  plane.kill(kill, { grace_ms: HOUR_MS });
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(kill)).toEqual(['term', 'gone']);
  const [term, gone] = plane.of('killing').map((each) => each.timing);
  assert(term !== undefined && gone !== undefined && gone.last_process_gone_ms !== null);
  expect(term.last_process_gone_ms).toBeNull();
  expect(term.first_signal_ms).toBe(gone.first_signal_ms);
  const moments = [0, term.first_signal_ms, term.sent_ms, gone.last_process_gone_ms, gone.sent_ms];
  expect(moments.toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(moments);
  const complete = await plane.completed();
  expect(complete).toMatchObject({ exit_code: 143, command_exit_code: null, signal: 'SIGTERM', reason: 'operator' });
  expect(complete.applied_kills).toMatchObject([{ kill, phase: 'gone', survivors: [] }]);
});

test('leader and child that ignore SIGTERM get SIGKILL after the grace, which a second kill shortens', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "" TERM; ${stubborn(`${mark}-child`)} & echo ready; ${WAIT}`, mark), { plane });
  await printed(plane, 'ready', 'child-ready');
  const [first, second] = [newKillId(), newKillId()];
  plane.kill(first, { grace_ms: HOUR_MS });
  // The same again is no second kill.
  plane.kill(first, { grace_ms: 0 });
  plane.kill(second, { grace_ms: 400 });
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(first)).toEqual(['term', 'term', 'kill', 'gone']);
  expect(plane.phases(second)).toEqual(['term', 'kill', 'gone']);
  const [term, kill, gone] = plane.of('killing').filter((each) => each.kill === second);
  // By the wrapper's own clock.
  expect((kill?.at_ms ?? 0) - (term?.at_ms ?? 0)).toBeGreaterThanOrEqual(400);
  expect(gone?.at_ms).toBeGreaterThanOrEqual(kill?.at_ms ?? 0);
  expect(await plane.completed()).toMatchObject({ signal: 'SIGKILL', reason: 'operator' });
});

test('the leader dies of SIGTERM and its child ignores it: the child gets SIGKILL, and the first cause wins', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`${stubborn(`${mark}-child`)} & echo ready; wait`, mark), {
    plane,
    options: ['--grace', '1h'],
  });
  await printed(plane, 'ready', 'child-ready');
  leash.kill('SIGTERM');
  await waitFor('the leader’s end', () => living(mark).length === living(`${mark}-child`).length);
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 0 });
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(null)).toEqual(['term', 'kill', 'gone']);
  expect(plane.phases(kill)).toEqual(['term', 'kill', 'gone']);
  expect(await plane.completed()).toMatchObject({ reason: 'local_signal', signal: 'SIGTERM', exit_code: 143 });
});

test('a handler that takes longer than its grace is cut short, here by an order of SIGKILL', async () => {
  const plane = await controlPlane();
  const script = `trap 'echo cleaning; sleep 1000; echo cleaned' TERM; echo ready; ${WAIT}`;
  const leash = leashRun(shell(script, marker()), { plane });
  await printed(plane, 'ready');
  const [first, second] = [newKillId(), newKillId()];
  plane.kill(first, { grace_ms: HOUR_MS });
  await printed(plane, 'cleaning');
  plane.kill(second, { signal: 'SIGKILL', grace_ms: HOUR_MS });
  expect((await leash.exited()).code).toBe(143);
  expect(said(plane)).toBe('ready\ncleaning\n');
  expect(plane.phases(first)).toEqual(['term', 'kill', 'gone']);
  expect(plane.phases(second)).toEqual(['kill', 'gone']);
});

test('another signal can be first; a command that has stopped handles it, and is waited for no longer than that', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap 'echo cleaned; exit 9' USR1; echo ready; kill -STOP $$; ${WAIT}`, mark), {
    plane,
  });
  await printed(plane, 'ready');
  const kill = newKillId();
  plane.kill(kill, { signal: 'SIGUSR1', grace_ms: HOUR_MS });
  expect((await leash.exited()).code).toBe(143);
  expect(living(mark)).toEqual([]);
  expect(said(plane)).toBe('ready\ncleaned\n');
  expect(plane.phases(kill)).toEqual(['term', 'gone']);
  expect(await plane.completed()).toMatchObject({ exit_code: 143, command_exit_code: 9, signal: null });
});

test('a kill that says neither signal nor grace ends the run by its own', async () => {
  const plane = await controlPlane();
  const script = `trap 'echo unlocked; exit 0' INT; trap 'echo locked; exit 1' TERM; echo ready; ${WAIT}`;
  const leash = leashRun(shell(script, marker()), { plane, options: ['--signal', 'INT', '--grace', '1h'] });
  await printed(plane, 'ready');
  expect((await plane.started()).limits).toEqual({ timeout_ms: null, grace_ms: HOUR_MS, signal: 'SIGINT' });
  const kill = newKillId();
  plane.kill(kill, { signal: null, grace_ms: null });
  expect((await leash.exited()).code).toBe(143);
  expect(said(plane)).toBe('ready\nunlocked\n');
  expect(plane.phases(kill)).toEqual(['term', 'gone']);
  expect(plane.of('killing')[0]).toMatchObject({ phase: 'term', signal: 'SIGINT' });
});

test('a kill that comes after the exit is refused, the exit stands, and background children are left alone', async () => {
  const plane = await controlPlane();
  plane.script.ackComplete = false;
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child >/dev/null 2>&1 & exit 3`, mark), {
    plane,
    options: ['--timeout', '0'],
    env: STANDING_CLOCK,
  });
  await plane.completed();
  const kill = newKillId();
  plane.kill(kill);
  await waitFor('an answer', () => plane.phases(kill).length > 0);
  expect(plane.phases(kill)).toEqual(['refused']);
  plane.send({ type: 'ack', of: 'complete' });
  expect((await leash.exited()).code).toBe(3);
  expect(await plane.completed()).toMatchObject({ exit_code: 3, reason: 'exited' });
  expect(await plane.started()).toMatchObject({ limits: { timeout_ms: null } });
  expect(living(`${mark}-child`)).toHaveLength(1);
});

test('SIGINT and SIGTERM to the wrapper are passed on to the group, and the exit code is the truth', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(
    shell(`trap 'echo interrupted' INT; sh -c 'sleep 1000; :' ${mark}-child & echo ready; ${WAIT}`, mark),
    { plane, options: ['--grace', '1h'] },
  );
  await printed(plane, 'ready');
  leash.kill('SIGINT');
  await printed(plane, 'interrupted');
  leash.kill('SIGTERM');
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(await plane.completed()).toMatchObject({ exit_code: 143, signal: 'SIGTERM', reason: 'local_signal' });
});

test('other signals of which a process ends by default are passed on, too, and end the run', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const numbers = os.constants.signals;
  const passedOn = ['SIGXCPU', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSTKFLT', 'SIGABRT'] as const;
  const traps = passedOn.map((signal) => `trap 'echo got-${signal}' ${numbers[signal]}`);
  const leash = leashRun(shell(`${traps.join('\n')}\necho ready; ${WAIT}`, mark), {
    plane,
    options: ['--grace', '1h'],
  });
  await printed(plane, 'ready');
  for (const signal of passedOn) {
    leash.kill(signal);
    await printed(plane, `got-${signal}`);
  }
  leash.kill('SIGALRM');
  expect(await leash.exited()).toEqual({ code: 128 + numbers.SIGALRM, signal: null });
  expect(living(mark)).toEqual([]);
  expect(await plane.completed()).toMatchObject({ signal: 'SIGALRM', reason: 'local_signal' });
});

test.each(IS_PROOF ? ['ENOENT', 'EMFILE'] : ['EMFILE'])(
  'where processes can not be looked at (%s) the command’s group is ended',
  async (code) => {
    const plane = await controlPlane();
    const mark = marker();
    const leash = leashRun(shell(`trap "" TERM; ${stubborn(`${mark}-child`)} & echo ready; ${WAIT}`, mark), {
      plane,
      env: sabotage(`
      import fs from 'node:fs';
      const { openSync } = fs;
      fs.openSync = (file, ...rest) => {
        if (/^\\/proc\\/\\d+\\/stat$/.test(file)) throw Object.assign(new Error('${code}'), { code: '${code}' });
        return openSync(file, ...rest);
      };`),
    });
    await printed(plane, 'ready', 'child-ready');
    const kill = newKillId();
    plane.kill(kill, { grace_ms: 0 });
    expect((await leash.exited()).code).toBe(143);
    expect(plane.phases(kill)).toEqual(['term', 'kill', 'gone']);
    expect(living(mark)).toEqual([]);
  },
);
