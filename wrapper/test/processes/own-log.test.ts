/** The wrapper's own log: what happened and why, in plain lines. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, marker, shell, stderrOf, WAIT } from '../support/leash.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const LINE = /^\d{4}-\d\d-\d\dT[\d:.]+Z (notice|info) \[test ([0-9A-Z]{26})\] (.+)$/;

function linesOf(log: string): { level: string; run: string; text: string }[] {
  return (
    fs
      .readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      // What was left is sent in the background meanwhile, which keeps its story there too.
      .filter((line) => !line.includes(' [flush] '))
      .map((line) => {
        const [, level = '', run = '', text = ''] = LINE.exec(line) ?? [];
        if (text === '') throw new Error(`not a line of a log: ${line}`);
        return { level, run, text };
      })
  );
}

test('the details of a run that was killed, and nothing of it on stderr but what must be known', async () => {
  const plane = await controlPlane();
  const log = path.join(temporaryDirectory(), 'log');
  const leash = leashRun(shell(`trap "" TERM; echo ready; ${WAIT}`, marker()), {
    plane,
    options: ['--log', log],
  });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const { run } = await plane.started();
  plane.kill(newKillId(), { grace_ms: 200, reason: 'out of\u001b[31m hand' });
  expect((await leash.exited()).code).toBe(143);
  const lines = linesOf(log);
  expect(new Set(lines.map((line) => line.run))).toEqual(new Set([run]));
  const story = lines.map((line) => line.text);
  const parts = [
    /^leash .*: run .* of test, instance .*, machine /,
    /^connecting to 127\.0\.0\.1:\d+$/,
    /^connected$/,
    /^killed by tester: out of<U\+001B>\[31m hand$/,
    /^sent SIGTERM to all processes$/,
    /^sent SIGKILL to all remaining processes$/,
    /^all processes exited$/,
    /^ended by an operator: exit code 143 \(the command’s own: SIGKILL\)$/,
  ];
  const places = parts.map((part) => story.findIndex((line) => part.test(line)));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(
    lines
      .filter((line) => line.level === 'notice' && !line.text.startsWith('the control plane does not have '))
      .map((line) => `leash: ${line.text}\n`)
      .join(''),
  ).toBe(stderrOf(leash));
  expect(stderrOf(leash)).toBe('leash: killed by tester: out of<U+001B>[31m hand\n');
});

const RUNS = IS_PROOF ? 4 : 2;

test('several runs share a file that LEASH_LOG names, each line whole and attributed', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const log = path.join(temporaryDirectory(), 'log');
  const codes = Array.from({ length: RUNS }, (_, each) => each);
  const leashes = codes.map((each) => leashRun(['sh', '-c', `exit ${each}`], { plane, env: { LEASH_LOG: log } }));
  expect(await Promise.all(leashes.map(async (leash) => (await leash.exited()).code))).toEqual(codes);
  const ends = linesOf(log).filter(({ text }) => text.startsWith('ended by itself: exit code '));
  expect(new Set(ends.map((line) => line.run)).size).toBe(RUNS);
  expect(ends.map((line) => Number(line.text.at(-1))).toSorted()).toEqual(codes);
});

test.each(IS_PROOF ? ['/nowhere/log', '/dev/full', '/'] : ['/dev/full'])(
  'a log that can not be written (%s) costs one line, and --verbose reports the same on stderr',
  async (log) => {
    const leash = leashRun(['sh', '-c', 'echo out; exit 5'], { options: ['--log', log, '--verbose'] });
    expect((await leash.exited()).code).toBe(5);
    expect(leash.stdout.toString()).toBe('out\n');
    const told = leash.stderr.split('\n').filter((line) => line.includes("can't be written"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain(log);
    expect(leash.stderr).toMatch(/^leash: ended by itself: exit code 5$/m);
  },
);

test('an unreachable control plane costs a short run one line, which says what becomes of it', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const leash = leashRun(['sh', '-c', 'exit 5'], { plane });
  expect((await leash.exited()).code).toBe(5);
  expect(leash.stderr).toMatch(
    /^leash: the control plane does not have the end of run .*ECONNREFUSED.*to be sent.*\n$/,
  );
});
