/** `leash run --ask`: whole wrappers that ask before they start. How they ask is in test/unit/ask.test.ts. */
import fs from 'node:fs';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leashRun, stateDirectory, stderrOf } from '../support/leash.ts';

const BLOCKING = { run: '01J00000000000000000000009', machine: 'web1', started_at: '2026-11-30T03:00:12.000Z' };

test('a run that may start is like any other, on the one connection, with its id and its fence', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'start', fence: 12 };
  const script = 'read line; echo "$line $LEASH_RUN_ID $LEASH_FENCE"; exit 3';
  const leash = leashRun(['sh', '-c', script], {
    plane,
    options: ['--ask'],
    env: { LEASH_RUN_ID: 'outer', LEASH_FENCE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  leash.process.stdin?.end('in\n');
  expect((await leash.exited()).code).toBe(3);
  const { id, starts, completions } = await plane.run();
  expect(leash.stdout.toString()).toBe(`in ${id} 12\n`);
  expect(stderrOf(leash)).toBe('');
  expect(plane.attempts).toBe(1);
  expect(starts).toMatchObject([{ phase: 'waiting', pid: null }, { phase: 'running' }]);
  expect(starts[0]?.question).toEqual({ overlap: 'allow', scope: 'job', skip_exit_code: 75 });
  expect(starts[1]?.pid).toBeGreaterThan(0);
  expect(completions).toMatchObject([{ exit_code: 3, reason: 'exited', final_offset: leash.stdout.length }]);
});

test('a run that is refused starts nothing, says why, and exits with the code that it was given', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'skip', reason: 'overlap', blocked_by: [BLOCKING, BLOCKING] };
  const leash = leashRun(['echo', 'ran'], { plane, options: ['--overlap', 'skip', '--skip-exit-code', '9'] });
  expect((await leash.exited()).code).toBe(9);
  expect(leash.stdout.toString()).toBe('');
  expect(stderrOf(leash)).toBe(
    `leash: not started: run ${BLOCKING.run} on web1 is in the way, since 2026-11-30 03:00:12Z, and 1 more\n`,
  );
  const run = await plane.run();
  expect(run.starts.map(({ phase }) => phase)).not.toContain('running');
  await waitFor('the end', () => run.isComplete);
  expect(run.completions).toMatchObject([{ exit_code: 9, reason: 'overlap', command_exit_code: null }]);
});

test('a run that waits and is killed has never started', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait', blocked_by: [BLOCKING] };
  const leash = leashRun(['echo', 'ran'], { plane, options: ['--overlap', 'wait', '--verbose'] });
  await waitFor('the wait', () => leash.stderr.includes('waiting to start: run'));
  plane.kill('01J00000000000000000000001');
  expect((await leash.exited()).code).toBe(143);
  expect(leash.stdout.toString()).toBe('');
  expect(leash.stderr).toContain('killed by tester');
  const run = await plane.run();
  await waitFor('the end', () => run.isComplete);
  expect(run.completions).toMatchObject([
    { exit_code: 143, reason: 'operator', applied_kills: [{ phase: 'gone', survivors: [] }] },
  ]);
});

test('Ctrl-C ends the wait, and the control plane hears of it', async () => {
  const plane = await controlPlane();
  plane.script.answer = { decision: 'wait' };
  const leash = leashRun(['echo', 'ran'], { plane, options: ['--overlap', 'kill-old', '--verbose'] });
  await waitFor('the wait', () => leash.stderr.includes('waiting to start: another run'));
  leash.kill('SIGINT');
  expect((await leash.exited()).code).toBe(130);
  expect(leash.stdout.toString()).toBe('');
  const run = await plane.run();
  await waitFor('the end', () => run.isComplete);
  expect(run.completions).toMatchObject([{ exit_code: 130, reason: 'local_signal', signal: 'SIGINT' }]);
});

test('out of reach, --if-unreachable decides; what was skipped is reported later', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const options = ['--ask', '--ask-timeout', '1ms'];
  const started = leashRun(['sh', '-c', 'echo "ran <$LEASH_FENCE>"'], { plane, options });
  const state = stateDirectory();
  const skipped = leashRun(['echo', 'ran'], {
    plane,
    options: [...options, '--if-unreachable', 'skip'],
    env: { LEASH_STATE_DIR: state },
  });
  expect([await started.exited(), await skipped.exited()].map(({ code }) => code)).toEqual([0, 75]);
  expect(started.stdout.toString()).toBe('ran <>\n');
  expect(started.stderr).toMatch(/^leash: could not ask the control plane before the start \(.*\): starting without/);
  expect(skipped.stdout.toString()).toBe('');
  expect(skipped.stderr).toMatch(/^leash: not started: could not ask the control plane .*--if-unreachable skip\n/);
  // By the flusher that it has left behind.
  await plane.listen();
  const run = await waitFor('the end', () =>
    [...plane.runs.values()].find(({ completions }) => completions[0]?.exit_code === 75),
  );
  expect(run.completions).toMatchObject([{ reason: 'unreachable', duration_ms: expect.any(Number) }]);
  await waitFor('that nothing is left', () => fs.readdirSync(`${state}/runs`).length === 0);
});
