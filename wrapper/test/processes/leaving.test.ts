/** How long a run that has ended stays, and what it says when it goes untold. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, sabotage, shell } from '../support/leash.ts';
import { living } from '../support/processes.ts';

test('something left behind that holds stdout open does not hold the wrapper up', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(`sh -c 'sleep 1000; :' ${mark}-child & echo done`, mark), { plane });
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toBe('done\n');
  expect(living(`${mark}-child`)).toHaveLength(1);
});

test('a short command is recorded, and the wrapper leaves as soon as it is', async () => {
  const plane = await controlPlane();
  const leash = leashRun(['echo', 'short'], { plane });
  await plane.completed();
  // Much sooner than it would wait for an answer.
  expect((await leash.exited()).code).toBe(0);
  expect(plane.stored.toString()).toBe('short\n');
  expect(await plane.completed()).toMatchObject({ final_offset: 6 });
});

test('nobody listens: the wrapper leaves soon, with the command’s code, and says so', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const leash = leashRun(['sh', '-c', 'echo lost; exit 5'], { plane });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toMatch(
    /^leash: the control plane does not have the end and the last 5 bytes .*ECONNREFUSED.*kept in .*\n$/,
  );
});

test('nobody listens, and nothing is lost: whoever asked for quiet gets it', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const leash = leashRun(['sh', '-c', 'echo kept; exit 5'], { plane, options: ['--quiet'] });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toBe('');
});

test.each(['hangUpgrade', 'mute'] as const)('a control plane that says nothing (%s) holds nothing up', async (how) => {
  const plane = await controlPlane();
  if (how === 'hangUpgrade') plane.script.hangUpgrade = true;
  else plane.script = { ...plane.script, ackStart: false, answerHeartbeats: false };
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toContain('the control plane does not have the end');
});

test('a control plane that never acks the completion is waited for, and not for ever', async () => {
  const plane = await controlPlane();
  plane.script.ackComplete = false;
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toContain('the control plane does not have the end');
});

test('a wrapper that is between two attempts when the command ends tries at once', async () => {
  const plane = await controlPlane();
  const mark = marker();
  // Dice that make every pause last for minutes.
  const leash = leashRun(shell('trap "exit 7" USR1; echo $$; while :; do sleep 0.05; done', mark), {
    plane,
    env: sabotage('Math.random = () => 1000'),
  });
  await waitFor('output', () => plane.stored.includes('\n'));
  const pid = Number(plane.stored.toString());
  plane.drop();
  await waitFor('a link that is down', () => !plane.connected);
  process.kill(pid, 'SIGUSR1');
  expect((await leash.exited()).code).toBe(7);
  expect(await plane.completed()).toMatchObject({ exit_code: 7 });
  expect(plane.of('start').map((each) => each.phase)).toEqual(['running', 'ended']);
});

test.each([401, 403, 404])('a refusal (%i) is told in one line, and the command runs on', async (status) => {
  const plane = await controlPlane();
  plane.script.refuse = status;
  const mark = marker();
  const leash = leashRun(shell('trap "exit 6" USR1; sleep 1; echo $$; while :; do sleep 0.05; done', mark), { plane });
  await waitFor('output', () => leash.stdout.includes('\n'));
  // Later the flusher may have tried, too.
  expect(plane.attempts).toBe(1);
  process.kill(Number(leash.stdout.toString()), 'SIGUSR1');
  expect((await leash.exited()).code).toBe(6);
  // What the control plane says of it is told, but its escape sequences do not reach a terminal.
  const [told, ...more] = leash.stderr.trimEnd().split('\n');
  expect(told).toMatch(
    new RegExp(`^leash: not supervised: .*\\(${status}\\): no\\?\\[31m, really; the command runs on$`),
  );
  // That it is kept meanwhile needs no line of its own.
  expect(more).toEqual([]);
});

test('a signal cuts the waiting after the end short', async () => {
  const plane = await controlPlane();
  plane.script.ackComplete = false;
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane });
  await plane.completed();
  leash.kill('SIGTERM');
  // Much sooner than without the signal.
  expect((await leash.exited()).code).toBe(5);
});

test.each([408, 425, 429, 503])(
  'a control plane that has no time just now (%i) is asked again soon',
  async (status) => {
    const plane = await controlPlane();
    plane.script.refuse = status;
    const mark = marker();
    const leash = leashRun(shell('while :; do sleep 0.05; done', mark), { plane });
    await waitFor('a first attempt', () => plane.attempts > 0);
    plane.script.refuse = null;
    // A refusal would be asked of again after half a minute or more.
    await waitFor('a link', () => plane.connected);
    expect(leash.stderr).not.toContain('not supervised');
    leash.kill('SIGTERM');
    expect((await leash.exited()).code).toBe(143);
  },
  40_000,
);
