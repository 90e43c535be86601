/** Runs that the control plane does not hear the end of: nothing of them is lost, and nothing waits. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { MIB } from '#protocol/limits';
import type { FakeControlPlane } from '#testing/fake-control-plane';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, marker, shell, stateDirectory } from '../support/leash.ts';
import { noPatience } from '../support/no-patience.ts';
import { flushers, killFlushers, leftIn } from '../support/state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Waits until a run that has ended is stored, whole, once, and gone from the disk. */
async function delivered(plane: FakeControlPlane, state: string) {
  const run = await plane.run();
  await waitFor('the end of the run', () => run.isComplete);
  await waitFor('a tidy state directory', () => leftIn(state).length === 0);
  expect(run.completions).toHaveLength(1);
  return run;
}

test.each(sampleOf(['the flusher that the wrapper started', '`leash flush`', 'the flusher of the next `leash run`']))(
  'what a run leaves in an outage is sent whole by %s',
  async (who) => {
    const plane = await controlPlane();
    const state = stateDirectory();
    const env = { LEASH_STATE_DIR: state };
    await plane.stop();
    const began = performance.now();
    const first = leashRun(['sh', '-c', 'printf one; printf two >&2; sleep 0.1; printf three; exit 7'], {
      plane,
      options: ['--instance', 'night', '--machine', 'minion'],
      env: { ...env, ...noPatience },
    });
    expect((await first.exited()).code).toBe(7);
    const tookMs = performance.now() - began;
    expect(first.stdout.toString()).toBe('onethree');
    expect(first.stderr).toMatch(/^twoleash: the control plane does not have the end and the last 11 bytes .*\n$/);
    expect(first.stderr).toContain(`kept in ${state}, to be sent in the background`);
    await waitFor('a flusher', () => flushers(state).length === 1);

    if (who !== 'the flusher that the wrapper started') await killFlushers(state);
    await plane.listen();
    if (who === '`leash flush`') {
      const flush = leash(['flush'], { plane, env });
      expect((await flush.exited()).code).toBe(0);
      expect(flush.stdout.toString()).toBe('1 sent, 0 left\n');
    } else if (who === 'the flusher of the next `leash run`') {
      const next = leashRun(['true'], { plane, env });
      await next.exited();
      expect(next.stderr).toBe('');
      await waitFor('both runs', () => plane.runs.size === 2);
    }
    const id = /of run (\w+)/.exec(first.stderr)?.[1] ?? '';
    const run = await waitFor('the run', () => plane.runs.get(id));
    await waitFor('its end', () => run.isComplete);
    await waitFor('a tidy state directory', () => leftIn(state).length === 0);
    expect(run.completions).toHaveLength(1);
    expect([run.text('stdout'), run.text('stderr'), run.gaps]).toEqual(['onethree', 'two', []]);
    expect(run.starts.at(-1)).toMatchObject({ phase: 'ended', output: { from: 0, to: 11 } });
    expect(run.completions[0]).toMatchObject({
      exit_code: 7,
      command_exit_code: 7,
      reason: 'exited',
      final_offset: 11,
    });
    expect(run.completions[0]?.duration_ms).toBeGreaterThanOrEqual(100);
    expect(run.completions[0]?.duration_ms).toBeLessThanOrEqual(tookMs);
    expect([...run.tokens]).toEqual(['secret-token']);
    await waitFor('no flusher', () => flushers(state).length === 0);
  },
);

test('the spool reports the steps by which the wrapper ended a run, and the kills it carried out', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const killed = leashRun(shell("trap '' TERM; echo ready; sleep 1000; :", mark), { plane, env });
  const run = await plane.run();
  await waitFor('the command', () => run.text('stdout') === 'ready\n');
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 500 });
  await waitFor('the first signal', () => run.killings.some(({ phase }) => phase === 'term'));
  await plane.stop();
  expect((await killed.exited()).code).toBe(143);
  await plane.listen();
  await waitFor('the end', () => run.isComplete);
  expect(run.completions[0]).toMatchObject({ exit_code: 143, reason: 'operator' });
  expect(run.completions[0]?.applied_kills).toMatchObject([{ kill, phase: 'gone' }]);

  await waitFor('a tidy state directory', () => leftIn(state).length === 0);
  await plane.stop();
  const signalled = leashRun(shell("trap '' TERM; echo ready; sleep 1000; :", mark), {
    plane,
    env,
    options: ['--grace', '100ms'],
  });
  await waitFor('the command', () => signalled.stdout.includes('ready'));
  signalled.kill('SIGTERM');
  const { code } = await signalled.exited();
  await plane.listen();
  const second = await waitFor('the second run', () => [...plane.runs.values()].find((each) => each !== run));
  await waitFor('its end', () => second.isComplete);
  expect(second.completions[0]).toMatchObject({ exit_code: code, reason: 'local_signal' });
  expect(second.killings.map(({ kill, phase }) => [kill, phase])).toEqual([
    [null, 'term'],
    [null, 'kill'],
    [null, 'gone'],
  ]);
});

test.each(sampleOf(['output', 'the end']))(
  'a control plane that stores %s too slowly is not waited for',
  async (what) => {
    const plane = await controlPlane();
    const state = stateDirectory();
    if (what === 'output') plane.script.ackOutput = false;
    else plane.script.ackComplete = false;
    const run = leashRun(['sh', '-c', 'head -c 3000000 /dev/zero; exit 3'], {
      plane,
      env: { LEASH_STATE_DIR: state },
    });
    expect((await run.exited()).code).toBe(3);
    expect(run.stderr).toContain('to be sent in the background');
    const stored = await plane.run();
    expect(stored.isComplete).toBe(what === 'the end');
    await killFlushers(state);
    plane.script.ackOutput = true;
    plane.script.ackComplete = true;
    const flush = leash(['flush'], { plane, env: { LEASH_STATE_DIR: state } });
    expect((await flush.exited()).code).toBe(0);
    expect(stored.isComplete).toBe(true);
    expect(stored.bytes('stdout').equals(Buffer.alloc(3_000_000))).toBe(true);
    expect(stored.gaps).toEqual([]);
    expect(leftIn(state)).toEqual([]);
  },
);

test('output beyond memory that is printed in an outage arrives completely over a link that keeps failing', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const file = path.join(temporaryDirectory(), 'printed');
  await plane.stop();
  const pieces = IS_PROOF ? 15 : 6;
  const toStdout = Math.floor((pieces * 2) / 3);
  // As fast as the disk takes it: what it can't keep up with is dropped, by design.
  const script = `
    head -c ${pieces * 2_000_000} /dev/urandom > ${file}
    i=0
    while [ $i -lt ${pieces} ]; do
      if [ $i -lt ${toStdout} ]; then exec 3>&1; else exec 3>&2; fi
      tail -c +$((i * 2000000 + 1)) ${file} | head -c 2000000 >&3
      # (What du says of a file that is gone would be output as well, and what the shell says of no number at all.)
      while [ $(($(du -sb ${state}/runs 2>/dev/null | cut -f1) + 0)) -lt $((i * 2000000 - 1000000)) ]; do sleep 0.1; done
      i=$((i + 1))
    done`;
  const run = leashRun(['sh', '-c', script], { plane, options: ['--quiet'], env: { LEASH_STATE_DIR: state } });
  expect((await run.exited()).code).toBe(0);
  plane.script.cutEveryBytes = pieces * 300_000;
  await plane.listen();
  const stored = await delivered(plane, state);
  expect(stored.starts.length).toBeGreaterThan(1);
  expect(stored.gaps).toEqual([]);
  const printed = fs.readFileSync(file);
  expect(stored.bytes('stdout').equals(printed.subarray(0, toStdout * 2_000_000))).toBe(true);
  expect(stored.bytes('stderr').equals(printed.subarray(toStdout * 2_000_000))).toBe(true);
});

test("of output beyond the spool's limit, head and tail arrive, with one gap between them", async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const file = path.join(temporaryDirectory(), 'printed');
  await plane.stop();
  const sizeBytes = IS_PROOF ? 30_000_000 : 10_000_000;
  const run = leashRun(['sh', '-c', `head -c ${sizeBytes} /dev/urandom | tee ${file}`], {
    plane,
    options: ['--quiet', '--spool-limit', '1M'],
    env: { LEASH_STATE_DIR: state },
  });
  expect((await run.exited()).code).toBe(0);
  await plane.listen();
  const stored = await delivered(plane, state);
  const printed = fs.readFileSync(file);
  expect(stored.end).toBe(printed.length);
  const [gap, ...more] = stored.gaps;
  expect(more).toEqual([]);
  const { from, to } = gap ?? { from: 0, to: 0 };
  expect(from).toBeGreaterThan(100_000);
  expect(printed.length - to).toBeGreaterThan(300_000);
  expect(from + printed.length - to).toBeLessThanOrEqual(1024 * 1024);
  expect(run.stderr).toContain(
    `; it has 0 of ${sizeBytes} bytes of output; ${from + sizeBytes - to} are kept in ${state}, to be sent in the background; ${to - from} are lost: there was no space to keep them\n`,
  );
  expect(stored.bytes('stdout').equals(Buffer.concat([printed.subarray(0, from), printed.subarray(to)]))).toBe(true);
});

test('the spool keeps as much as the control plane would store', async () => {
  const plane = await controlPlane();
  plane.script.ackOutput = false;
  plane.script.outputLimitBytes = 2 * MIB;
  const state = stateDirectory();
  const go = gate();
  const run = leashRun(['sh', '-c', `echo ready; ${go.wait}; head -c 16000000 /dev/zero`], {
    plane,
    options: ['--quiet'],
    env: { LEASH_STATE_DIR: state },
  });
  // Output is sent once the ack of the start has come.
  await waitFor('some output', () => plane.stored.includes('ready'));
  go.open();
  expect((await run.exited()).code).toBe(0);
  const [, kept, lost] = /; (\d+) are kept in .*; (\d+) are lost/.exec(run.stderr) ?? [];
  expect(Number(kept)).toBeGreaterThan(2 * MIB);
  expect(Number(kept)).toBeLessThan(6 * MIB);
  expect(Number(kept) + Number(lost)).toBe(16_000_006);
});

test.runIf(IS_PROOF)('while the control plane stores nothing, nothing is lost of what it would store', async () => {
  const plane = await controlPlane({ keepsOutput: false });
  plane.script.ackOutput = false;
  const state = stateDirectory();
  // No faster than the disk takes it.
  const pieces = 66;
  const sizeBytes = pieces * 3_000_000;
  const script = `
    i=1
    while [ $i -le ${pieces} ]; do
      head -c 3000000 /dev/zero
      while [ $(($(du -sb ${state}/runs 2>/dev/null | cut -f1) + 0)) -lt $((i * 3000000 - 1000000)) ]; do sleep 0.02; done
      i=$((i + 1))
    done`;
  const run = leashRun(['sh', '-c', script], { plane, options: ['--quiet'], env: { LEASH_STATE_DIR: state } });
  expect((await run.exited()).code).toBe(0);
  plane.script.ackOutput = true;
  const stored = await delivered(plane, state);
  expect(stored.end).toBe(sizeBytes);
  expect(stored.gaps).toEqual([]);
});

test('when a token is revoked during a run, the job continues, and a flusher with a valid one sends everything', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const token = path.join(temporaryDirectory(), 'token');
  fs.writeFileSync(token, 'old\n');
  const go = gate();
  const run = leashRun(['sh', '-c', `echo before; ${go.wait}; echo after; exit 9`], {
    plane,
    options: ['--token-file', token],
    env: { ...env, LEASH_TOKEN: '' },
  });
  const stored = await plane.run();
  await waitFor('some output', () => stored.text('stdout') === 'before\n');
  plane.script.refuse = (presented) => (presented === 'new' ? null : 401);
  plane.drop();
  await waitFor('a refusal', () => run.stderr.includes('not supervised'));
  go.open();
  expect((await run.exited()).code).toBe(9);
  expect(run.stderr.split('\n').filter((line) => line.includes('401'))).toHaveLength(1);

  await waitFor('the end of the flusher that is refused as well', () => flushers(state).length === 0);
  const refused = leash(['flush', '--token-file', token], { plane, env });
  expect((await refused.exited()).code).toBe(1);
  expect(refused.stdout.toString()).toMatch(/^0 sent, 1 left\n {2}\w+: .*401/);
  fs.writeFileSync(token, 'new\n');
  const flush = leash(['flush', '--token-file', token], { plane, env });
  expect((await flush.exited()).code).toBe(0);
  expect(stored.text('stdout')).toBe('before\nafter\n');
  expect(stored.completions).toMatchObject([{ exit_code: 9 }]);
  expect([...stored.tokens]).toEqual(['old', 'new']);
});

test('runs of another control plane are never sent', async () => {
  const ours = await controlPlane();
  const other = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await ours.stop();
  await leashRun(['echo', 'private'], { plane: ours, env }).exited();
  await killFlushers(state);
  const flush = leash(['flush'], { plane: other, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toContain(`1 left for ${ours.url}`);
  const run = leashRun(['true'], { plane: other, env });
  await run.exited();
  expect(flushers(state)).toEqual([]);
  expect(other.runs.size).toBe(1);
  expect((await other.run()).text('stdout')).toBe('');
  expect(leftIn(state)).toHaveLength(1);
});
