/** The link: cut, silent, refused, and told nonsense, while a command runs. */
import fs from 'node:fs';
import { expect, test } from 'vitest';
import { MIB } from '#protocol/limits';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, marker, shell, stateDirectory } from '../support/leash.ts';

/** A command that prints numbered lines. */
const TICKING = 'n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done';

/** The most memory that a process has ever held, in bytes. */
function mostMemory(pid: number | undefined): number {
  return 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

test('a large output arrives whole, every byte once, over a link that is cut again and again', async () => {
  const plane = await controlPlane();
  plane.script.cutEveryBytes = 200_000;
  const lines = IS_PROOF ? 700_000 : 150_000;
  const leash = leashRun(['sh', '-c', `seq 1 ${lines}; exit 3`], { plane });
  expect((await leash.exited()).code).toBe(3);
  const expected = Buffer.from(Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join(''));
  const run = await plane.run();
  await waitFor('the end', () => run.isComplete);
  expect(plane.stored.equals(expected)).toBe(true);
  expect(leash.stdout.equals(expected)).toBe(true);
  expect(run.starts.length).toBeGreaterThan(2);
  expect(plane.mostUnacked).toBeLessThanOrEqual(512 * 1024);
  expect(run.completions).toMatchObject([{ final_offset: expected.length }]);
});

test('a control plane that floods a run is hung up on, and the command prints and ends as ever', async () => {
  const plane = await controlPlane();
  const go = gate();
  const script = `${go.wait}; head -c 5000000 /dev/zero; exit 3`;
  const leash = leashRun(['sh', '-c', script], { plane, options: ['--quiet'] });
  await plane.started();
  const probes = 50_000;
  for (let each = 0; each < probes; each += 1) plane.sendUnseen('{"type":"probe"}');
  go.open();
  expect((await leash.exited()).code).toBe(3);
  const run = await plane.run();
  await waitFor('the end', () => run.isComplete && run.end === 5_000_000);
  expect(run.starts.length).toBeGreaterThan(1);
  // Those are answered in the order in which they come: before anything that was sent after them.
  expect(plane.of('alive').length).toBeLessThan(probes);
  expect(leash.stderr).toContain('leash: disconnected: the control plane sends too much data');
});

test('at most 512 KiB are in flight while nothing is acked', async () => {
  const plane = await controlPlane();
  plane.script.ackOutput = false;
  const mark = marker();
  leashRun(shell('seq 1 200000; sleep 1000; :', mark), { plane });
  await waitFor('a full window', () => plane.mostUnacked > 400 * 1024);
  const before = plane.heartbeats;
  await waitFor('two heartbeats more', () => plane.heartbeats >= before + 2);
  expect(plane.mostUnacked).toBeLessThanOrEqual(512 * 1024);
  // Control messages pass by what waits.
  const kill = newKillId();
  plane.kill(kill);
  await waitFor('progress', () => plane.phases(kill).includes('gone'));
});

test('the command prints on while nobody is connected, and all of it arrives afterwards', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const mark = marker();
  const leash = leashRun(shell('seq 1 50000; echo end; sleep 1000; :', mark), { plane });
  await waitFor('all of it on stdout', () => leash.stdout.includes('end'));
  await plane.listen();
  await waitFor('all of it stored', () => plane.stored.includes('end'));
  expect(plane.stored.equals(leash.stdout)).toBe(true);
});

test('of more output than can be held while nobody is connected, head and tail arrive, what is missing is reported, and memory stays small', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const [sizeBytes, spoolBytes] = IS_PROOF ? [48 * MIB, 8 * MIB] : [20 * MIB, 4 * MIB];
  const script = `yes 0123456789abcde | head -c ${sizeBytes}; echo end; sleep 1000; :`;
  const options = ['--spool-limit', `${spoolBytes / MIB}M`];
  const leash = leashRun(shell(script, marker()), { plane, options });
  let passedOn = 0;
  leash.process.stdout?.on('data', (bytes: Buffer) => {
    passedOn += bytes.length;
  });
  await waitFor('all of it on stdout', () => passedOn === sizeBytes + 4);
  await plane.listen();
  await waitFor('all that is left', () => plane.storedBytes === sizeBytes + 4);
  const { stored, stdout } = { stored: plane.stored, stdout: leash.stdout };
  let held = 0;
  let at = 0;
  for (const { from, to } of [...plane.gaps(), { from: stored.length, to: stored.length }]) {
    expect(stored.subarray(at, from).equals(stdout.subarray(at, from))).toBe(true);
    held += from - at;
    at = to;
  }
  // The spool, but for what its files need beside, and what may be in memory beside that.
  expect(held).toBeGreaterThan(spoolBytes - MIB);
  expect(held).toBeLessThan(spoolBytes + 8 * MIB);
  expect(plane.gaps()[0]?.from).toBeGreaterThan(spoolBytes / 8);
  expect(plane.gaps().at(-1)?.to).toBeLessThan(stored.length - MIB);
  expect(mostMemory(leash.process.pid)).toBeLessThan(100e6);
});

test('a kill that comes as soon as the wrapper is back works', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(TICKING, mark), { plane });
  await plane.started();
  const kill = newKillId();
  plane.script.afterStart = [
    JSON.stringify({
      type: 'kill',
      kill,
      signal: 'SIGTERM',
      grace_ms: 3_600_000,
      requested_by: 'tester',
      reason: 'while you were away',
    }),
  ];
  plane.drop();
  expect((await leash.exited()).code).toBe(143);
  expect(plane.phases(kill)).toEqual(['term', 'gone']);
  expect(leash.stderr).toBe('leash: killed by tester: while you were away\n');
});

test('progress that nobody heard is repeated with the next start, and the kill is not applied again', async () => {
  const plane = await controlPlane();
  const script = 'trap "echo got" TERM; echo ready; while :; do sleep 0.2; done';
  const leash = leashRun(shell(script, marker()), { plane });
  await waitFor('ready', () => plane.stored.includes('ready'));
  const kill = newKillId();
  plane.kill(kill, { grace_ms: 3_600_000 });
  await waitFor('term', () => plane.phases(kill).includes('term'));
  plane.drop();
  const again = await waitFor('a second start', () => plane.of('start')[1]);
  expect(again.applied_kills).toMatchObject([{ kill, phase: 'term', signal: 'SIGTERM' }]);
  await waitFor('connected', () => plane.connected);
  plane.kill(kill, { grace_ms: 3_600_000 });
  plane.kill(newKillId(), { grace_ms: 0 });
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.toString().match(/got/g)).toHaveLength(1);
});

test('each start says what has not changed, with a greater age, and a probe is answered', async () => {
  const plane = await controlPlane();
  const mark = marker();
  leashRun(shell('sleep 1000; :', mark), { plane, options: ['--grace', '7s'] });
  const first = await plane.started();
  await waitFor('some age', () => plane.heartbeats > 0);
  plane.drop();
  const second = await waitFor('a second start', () => plane.of('start')[1]);
  expect(second).toMatchObject({ run: first.run, run_key: first.run_key, pid: first.pid, phase: 'running' });
  expect(second.age_ms).toBeGreaterThan(first.age_ms);
  expect(second.limits.grace_ms).toBe(7_000);
  expect(first.command_line).toContain("'sleep 1000; :'");
  await waitFor('a link', () => plane.connected);
  plane.send({ type: 'probe' });
  await waitFor('alive', () => plane.of('alive').length === 1);
});

test('a restarted control plane is found again, and nothing is lost', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(TICKING, mark), { plane });
  await waitFor('some lines', () => plane.stored.includes('line 5\n'));
  await plane.stop();
  await waitFor('more lines', () => leash.stdout.includes(`line ${plane.stored.toString().split('\n').length + 20}\n`));
  await plane.listen();
  await waitFor('lines after the restart', () => plane.of('start').length > 1 && plane.connected);
  const kill = newKillId();
  plane.kill(kill);
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.equals(leash.stdout)).toBe(true);
});

test('nonsense from the control plane does no harm', async () => {
  const plane = await controlPlane();
  const nonsense = [
    'not json',
    '[]',
    '{"type":"reboot","now":true}',
    '{"type":"kill"}',
    '{"type":"kill","kill":"01J00000000000000000000000","signal":"SIGSTOP","grace_ms":-1}',
    '{"type":"ack","of":"output","offset":99999999}',
    '{"type":"ack","of":"output","offset":-5}',
    '{"type":"ack","of":"complete"}',
    '{"type":"error","code":"from the future","message":"?","retry":null}',
    '{"type":"error","code":"gap","message":"?","retry":null,"expected":123456789}',
    new Uint8Array([1, 2, 3]),
  ];
  plane.script.afterStart = nonsense;
  const mark = marker();
  const leash = leashRun(shell(`echo ready; ${TICKING}`, mark), { plane });
  await waitFor('ready', () => plane.stored.includes('line 10\n'));
  expect(plane.of('start')).toHaveLength(1);
  const kill = newKillId();
  plane.kill(kill);
  expect((await leash.exited()).code).toBe(143);
  expect(plane.stored.equals(leash.stdout)).toBe(true);
  expect(leash.stderr).toBe('leash: killed by tester\n');
});

test('a request for bytes that were acked already is answered with a gap, and the rest follows', async () => {
  const plane = await controlPlane();
  const mark = marker();
  const leash = leashRun(shell(TICKING, mark), { plane });
  await waitFor('some lines', () => plane.stored.includes('line 5\n'));
  const lost = plane.stored.length;
  plane.forgetOutput();
  plane.drop();
  await waitFor('a gap', () => plane.gaps().length > 0);
  await waitFor('more', () => plane.stored.length > lost + 20);
  plane.kill(newKillId());
  await leash.exited();
  const [gap] = plane.gaps();
  expect(plane.stored.subarray(gap?.to).equals(leash.stdout.subarray(gap?.to))).toBe(true);
});

test('retry never: the run is given up, said in one line, and the command runs on', async () => {
  const plane = await controlPlane();
  plane.script.ackStart = false;
  const env = { LEASH_STATE_DIR: stateDirectory() };
  const end = gate();
  const run = leashRun(['sh', '-c', `echo out; ${end.wait}; exit 8`], { plane, env });
  await plane.started();
  plane.send({ type: 'error', code: 'run_conflict', message: 'another wrapper has this run', retry: 'never' });
  await waitFor('the line', () => run.stderr.includes('run_conflict'));
  end.open();
  expect((await run.exited()).code).toBe(8);
  expect(run.stderr.match(/keeps running/g)).toHaveLength(1);
  expect(run.stderr).toMatch(
    /discarded the end and the last 4 bytes of the output of run \w+: the control plane will never accept it .*\n$/,
  );
  // Nobody dials for it later, either.
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(0);
  expect(flush.stdout.toString()).toBe('nothing is left to send\n');
  expect(plane.attempts).toBe(1);
});
