/** Ending commands for real: every process here is one. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { type ControlPlane, newCommand } from '../support/control-plane.ts';
import { controlPlane, leashRun, marker, sabotage, shell } from '../support/leash.ts';
import { living } from '../support/processes.ts';

/** A process that has `mark` on its command line and ignores SIGTERM, once it has said so. */
function stubborn(mark: string): string {
  return `sh -c 'trap "" TERM; echo child-ready; while :; do sleep 0.05; done' ${mark}`;
}

/** The output without what some shells say of a child that a signal ended. */
function said(plane: ControlPlane): string {
  return plane.stored.toString().replaceAll('Terminated\n', '');
}

test('a shell and the sleep it left in the background are both gone after a kill', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child & sleep 1000; :`, mark), { plane });
  await plane.started();
  await waitFor('both', () => living(mark).length >= 2);
  const command = newCommand();
  plane.kill(command);
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(command)).toEqual(['term', 'gone']);
  const complete = await plane.completed();
  expect(complete).toMatchObject({ exit_code: 143, command_exit_code: null, signal: 'SIGTERM', reason: 'operator' });
  expect(complete.applied_kills).toMatchObject([{ command, phase: 'gone', survivors: [] }]);
});

test('leader and child that ignore SIGTERM get SIGKILL after the grace, in that order', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(
    shell(`trap "" TERM; echo ready; ${stubborn(`${mark}-child`)} & while :; do sleep 0.05; done`, mark),
    {
      plane,
    },
  );
  await waitFor('both', () => plane.stored.includes('child-ready') && /^ready/m.test(plane.stored.toString()));
  const command = newCommand();
  plane.kill(command, { grace_ms: 400 });
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(command)).toEqual(['term', 'kill', 'gone']);
  const [term, kill, gone] = plane.of('killing');
  expect((kill?.at_ms ?? 0) - (term?.at_ms ?? 0)).toBeGreaterThanOrEqual(400);
  expect(gone?.at_ms).toBeGreaterThanOrEqual(kill?.at_ms ?? 0);
  expect(await plane.completed()).toMatchObject({ signal: 'SIGKILL', reason: 'operator' });
});

test('the leader dies of SIGTERM and its child ignores it: the child gets SIGKILL', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`${stubborn(`${mark}-child`)} & echo ready; wait`, mark), { plane });
  await waitFor('both', () => plane.stored.includes('child-ready') && /^ready/m.test(plane.stored.toString()));
  const command = newCommand();
  plane.kill(command, { grace_ms: 300 });
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(plane.phases(command)).toEqual(['term', 'kill', 'gone']);
  expect(await plane.completed()).toMatchObject({ signal: 'SIGTERM' });
});

test('a handler slower than its grace is cut short', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const script = `trap 'echo cleaning; sleep 30; echo cleaned' TERM; echo ready; while :; do sleep 0.05; done`;
  const leash = leashRun(shell(script, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  plane.kill(newCommand(), { grace_ms: 500 });
  expect((await leash.exited()).code).toBe(143);
  expect(said(plane)).toBe('ready\ncleaning\n');
});

test('a handler that is quick is waited for, and no longer than it takes', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const script = `trap 'echo cleaned; exit 9' TERM; echo ready; while :; do sleep 0.05; done`;
  const leash = leashRun(shell(script, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const command = newCommand();
  plane.kill(command, { grace_ms: 60_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(said(plane)).toBe('ready\ncleaned\n');
  expect(plane.phases(command)).toEqual(['term', 'gone']);
  expect(await plane.completed()).toMatchObject({ exit_code: 143, command_exit_code: 9, signal: null });
});

test('a kill that comes after the exit is refused, and the exit stands', async () => {
  const plane = await controlPlane();
  plane.script.ackComplete = false;
  const leash = leashRun(['sh', '-c', 'exit 3'], { plane });
  await plane.completed();
  const command = newCommand();
  plane.kill(command);
  await waitFor('an answer', () => plane.phases(command).length > 0);
  expect(plane.phases(command)).toEqual(['refused']);
  plane.send({ type: 'ack', of: 'complete' });
  expect((await leash.exited()).code).toBe(3);
  expect(await plane.completed()).toMatchObject({ exit_code: 3, reason: 'exited' });
});

test('background children are left alone when the command exits by itself', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child >/dev/null 2>&1 & exit 0`, mark), { plane });
  expect((await leash.exited()).code).toBe(0);
  expect(living(`${mark}-child`)).toHaveLength(1);
});

test('a second kill shortens the grace under way', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "" TERM; echo ready; while :; do sleep 0.05; done`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const [first, second] = [newCommand(), newCommand()];
  plane.kill(first, { grace_ms: 3_600_000 });
  await waitFor('term', () => plane.phases(first).includes('term'));
  plane.kill(second, { grace_ms: 200 });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.phases(first)).toEqual(['term', 'kill', 'gone']);
  expect(plane.phases(second)).toEqual(['term', 'kill', 'gone']);
});

test('SIGKILL asked for first skips the grace of a kill under way', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "" TERM; echo ready; while :; do sleep 0.05; done`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const [first, second] = [newCommand(), newCommand()];
  plane.kill(first, { grace_ms: 3_600_000 });
  await waitFor('term', () => plane.phases(first).includes('term'));
  plane.kill(second, { signal: 'SIGKILL', grace_ms: 3_600_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.phases(first)).toEqual(['term', 'kill', 'gone']);
  expect(plane.phases(second)).toEqual(['kill', 'gone']);
});

test('the same kill twice is applied once', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const script = `trap 'echo got' TERM; echo ready; while :; do sleep 0.05; done`;
  const leash = leashRun(shell(script, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const command = newCommand();
  plane.kill(command, { grace_ms: 1_000 });
  plane.kill(command, { grace_ms: 60_000 });
  plane.kill(command, { grace_ms: 0 });
  expect((await leash.exited()).code).toBe(143);
  expect(said(plane)).toBe('ready\ngot\n');
  expect(plane.phases(command)).toEqual(['term', 'term', 'term', 'kill', 'gone']);
});

test('another first signal is the one that is sent', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const script = `trap 'echo usr1; exit 0' USR1; echo ready; while :; do sleep 0.05; done`;
  const leash = leashRun(shell(script, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  plane.kill(newCommand(), { signal: 'SIGUSR1' });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.toString()).toContain('usr1');
});

test('a command that stopped itself dies, and gets to handle the signal', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap 'echo handled; exit 0' TERM; echo ready; kill -STOP $$`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  plane.kill(newCommand(), { grace_ms: 60_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.toString()).toContain('handled');
  expect(living(mark)).toEqual([]);
});

test('a group of zombies is a group of nobody', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const zombie = `
    import os, sys, time
    group = os.getpgrp()
    read, write = os.pipe()
    if os.fork() == 0:
        # The parent of a zombie that stays in the command's group, itself outside of it.
        child = os.fork()
        if child == 0:
            os.read(read, 1)
            os._exit(0)
        os.setpgid(0, 0)
        os.write(write, b"x")
        time.sleep(1000)
    print("ready", flush=True)
    time.sleep(1000)
  `.replace(/^ {4}/gm, '');
  const leash = leashRun(['python3', '-c', zombie, mark], { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  await waitFor('the zombie', () => living(mark).length === 2);
  const command = newCommand();
  plane.kill(command, { grace_ms: 60_000 });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.phases(command)).toEqual(['term', 'gone']);
});

test('the time limit ends the whole group: 124', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`${stubborn(`${mark}-child`)} & trap "" TERM; while :; do sleep 0.05; done`, mark), {
    plane,
    options: ['--timeout', '500ms', '--grace', '200ms'],
  });
  expect((await leash.exited()).code).toBe(124);
  expect(living(mark)).toEqual([]);
  expect(plane.phases(null)).toEqual(['term', 'kill', 'gone']);
  expect(await plane.started()).toMatchObject({ limits: { timeout_ms: 500, grace_ms: 200 } });
  expect(await plane.completed()).toMatchObject({ exit_code: 124, reason: 'timeout' });
});

test('a time limit of 0 is none', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['sh', '-c', 'sleep 0.5; exit 6'], { plane, options: ['--timeout', '0'] });
  expect((await leash.exited()).code).toBe(6);
  expect(await plane.started()).toMatchObject({ limits: { timeout_ms: null } });
});

test('SIGTERM to the wrapper is passed on to the group, and the exit code is the truth', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child & echo ready; sleep 1000; :`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  leash.kill('SIGTERM');
  expect(await leash.exited()).toEqual({ code: 143, signal: null });
  expect(living(mark)).toEqual([]);
  expect(await plane.completed()).toMatchObject({ exit_code: 143, signal: 'SIGTERM', reason: 'local_signal' });
});

test('SIGINT to the wrapper reaches the command as SIGINT', async () => {
  const mark = marker();
  const leash = leashRun(shell(`trap 'exit 77' INT; echo ready; while :; do sleep 0.05; done`, mark));
  await waitFor('ready', () => leash.stdout.includes('ready'));
  leash.kill('SIGINT');
  expect(await leash.exited()).toEqual({ code: 77, signal: null });
});

test('the first cause wins: a kill during the grace of a local signal does not make it an operator’s', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "" TERM; echo ready; while :; do sleep 0.05; done`, mark), {
    plane,
    options: ['--grace', '1h'],
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  leash.kill('SIGTERM');
  await waitFor('term', () => plane.phases(null).includes('term'));
  const command = newCommand();
  plane.kill(command, { grace_ms: 0 });
  expect((await leash.exited()).code).toBe(137);
  expect(plane.phases(command)).toEqual(['term', 'kill', 'gone']);
  expect(await plane.completed()).toMatchObject({ reason: 'local_signal', signal: 'SIGKILL', exit_code: 137 });
});

test('a grace of 0 kills at once after the first signal', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`trap "" TERM; echo ready; while :; do sleep 0.05; done`, mark), {
    plane,
    options: ['--grace', '0'],
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  leash.kill('SIGTERM');
  expect((await leash.exited()).code).toBe(137);
  const [term, kill] = plane.of('killing');
  expect([term?.phase, kill?.phase]).toEqual(['term', 'kill']);
  expect(kill?.at_ms).toBe(term?.at_ms);
});

test.each(['ENOENT', 'EMFILE'])(
  'where processes can not be looked at (%s) the command’s group is ended',
  async (code) => {
    const plane = await controlPlane();
    const mark = marker();
    const leash = leashRun(shell(`trap "" TERM; ${stubborn(`${mark}-child`)} & while :; do sleep 0.05; done`, mark), {
      plane,
      env: sabotage(`
      import fs from 'node:fs';
      const { openSync } = fs;
      fs.openSync = (file, ...rest) => {
        if (/^\\/proc\\/\\d+\\/stat$/.test(file)) throw Object.assign(new Error('${code}'), { code: '${code}' });
        return openSync(file, ...rest);
      };`),
    });
    await waitFor('the child', () => plane.stored.includes('child-ready'));
    const command = newCommand();
    plane.kill(command, { grace_ms: 200 });
    expect((await leash.exited()).code).toBe(143);
    expect(plane.phases(command)).toEqual(['term', 'kill', 'gone']);
    expect(living(mark)).toEqual([]);
  },
);
