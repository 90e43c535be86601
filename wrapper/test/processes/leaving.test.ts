/** How long a run that has ended stays, and what it says when it goes untold. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { gate } from '../support/gate.ts';
import { controlPlane, leashRun, marker, sabotage, shell, WAIT } from '../support/leash.ts';
import { noPatience } from '../support/no-patience.ts';
import { living } from '../support/processes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('something left behind that holds stdout open does not hold the wrapper up, and is named', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child & echo done`, mark), { plane });
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toBe('done\n');
  const children = living(`${mark}-child`);
  expect(children).toHaveLength(1);
  const { left_running: left = [] } = await plane.completed();
  // The shell, and the sleep that it waits for.
  expect(left).toContainEqual({ pid: children[0], command_line: `sh -c 'sleep 1000; :' ${mark}-child` });
  expect(left.map(({ command_line }) => command_line)).toContain('sleep 1000');
  expect(left).toHaveLength(2);
});

test('--leftovers kill ends what is left, with the grace, before the end is reported; the exit code stays the command’s', async () => {
  const plane = await controlPlane();
  const mark = marker();
  // Of two, one ignores the first signal. The command exits when both have their traps.
  const child = (trap: string) => `sh -c "trap '${trap}' TERM; echo up >&3; ${WAIT}" ${mark} 3>&4 &`;
  const script = `mkfifo "$1"; exec 4<>"$1"; ${child('')} ${child('exit')} read a <&4; read b <&4; rm "$1"; exit 3`;
  const options = ['--leftovers', 'kill', '--grace', '200ms', '--verbose'];
  const leash = leashRun([...shell(script, `${mark}-command`), `${temporaryDirectory()}/fifo`], { plane, options });
  expect((await leash.exited()).code).toBe(3);
  expect(living(mark)).toEqual([]);
  expect(await plane.completed()).toMatchObject({ exit_code: 3, reason: 'exited' });
  expect((await plane.completed()).left_running).toBeUndefined();
  const ended = (await plane.completed()).ended_leftovers?.map(({ command_line }) => command_line) ?? [];
  expect(ended.filter((line) => line.endsWith(` ${mark}`))).toHaveLength(2);
  expect(plane.of('killing')).toEqual([]);
  expect(leash.stderr).toMatch(/the command has left \d+, \d+(, \d+)* running/);
});

test('--leftovers ignore reports nothing, and ends nothing', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const script = `sh -c 'sleep 1000; :' ${mark}-child >/dev/null 2>&1 &`;
  const leash = leashRun(shell(script, mark), { plane, options: ['--leftovers', 'ignore'] });
  expect((await leash.exited()).code).toBe(0);
  // What it has forked has its name for a moment.
  await waitFor('the child alone', () => living(`${mark}-child`).length === 1);
  expect((await plane.completed()).left_running).toBeUndefined();
});

test('a short command is recorded as it printed, and the wrapper leaves as soon as it is', async () => {
  const plane = await controlPlane();
  const script = `printf '\\377\\000\\303'; printf 'err\\200' >&2`;
  const leash = leashRun(['sh', '-c', script], { plane, env: noPatience });
  expect((await leash.exited()).code).toBe(0);
  const run = await plane.run();
  // Bytes that are no text, of both streams.
  const [stdout, stderr] = [Buffer.from([0xff, 0, 0xc3]), Buffer.from([...Buffer.from('err'), 0x80])];
  expect([run.bytes('stdout'), run.bytes('stderr')]).toEqual([stdout, stderr]);
  expect(leash.stdout).toEqual(stdout);
  expect(run.completions).toMatchObject([{ final_offset: 7 }]);
});

test('nobody listens: the wrapper leaves soon, with the command’s code, and says so', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const leash = leashRun(['sh', '-c', 'echo lost; exit 5'], { plane, env: noPatience });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toMatch(
    /^leash: the control plane does not have the end and the last 5 bytes .*ECONNREFUSED.*kept in .*\n$/,
  );
});

test('a control plane that takes the connection and says nothing holds nothing up', async () => {
  const plane = await controlPlane();
  plane.script = { ...plane.script, ackStart: false, answerHeartbeats: false };
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toContain('the control plane does not have the end');
});

test('a wrapper that is between two attempts when the command ends tries at once', async () => {
  const plane = await controlPlane();
  const end = gate();
  // Dice that make every pause last for minutes.
  const leash = leashRun(['sh', '-c', `${end.wait}; exit 7`], {
    plane,
    options: ['--verbose'],
    env: sabotage('Math.random = () => 1000'),
  });
  await plane.started();
  await waitFor('the link', () => leash.stderr.includes('connected\n'));
  plane.drop();
  await waitFor('a link that is down', () => leash.stderr.includes('not connected: '));
  end.open();
  expect((await leash.exited()).code).toBe(7);
  expect(await plane.completed()).toMatchObject({ exit_code: 7 });
  expect(plane.of('start').map((each) => each.phase)).toEqual(['running', 'ended']);
});

test('a refusal is reported in one line, and the command runs on', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 401;
  const end = gate();
  const leash = leashRun(['sh', '-c', `${end.wait}; exit 6`], { plane });
  await waitFor('the line', () => leash.stderr.includes('\n'));
  // Later the flusher may have tried, too.
  expect(plane.attempts).toBe(1);
  end.open();
  expect((await leash.exited()).code).toBe(6);
  // What the control plane says of it is told, but its escape sequences do not reach a terminal.
  const [told, ...more] = leash.stderr.trimEnd().split('\n');
  expect(told).toMatch(/^leash: not supervised: .*\(401\): no<U\+001B>\[31m, really; the command keeps running$/);
  // That it is kept meanwhile needs no line of its own.
  expect(more).toEqual([]);
});

test('a signal cuts the waiting after the end short', async () => {
  const plane = await controlPlane();
  plane.script.ackComplete = false;
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane, env: noPatience });
  await plane.completed();
  leash.kill('SIGTERM');
  expect((await leash.exited()).code).toBe(5);
});
