/** Many flushers at once, and runs in a bad state. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { FakeControlPlane } from '#testing/fake-control-plane';
import { sampledTest } from '#testing/sampled-test';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { momentNow } from '../../src/flush/give-up.ts';
import { acquireOwnership, ownProcess } from '../../src/state/owner.ts';
import { FORMAT_VERSION } from '../../src/state/run-file.ts';
import { controlPlane, leash, leashRun, stateDirectory } from '../support/leash.ts';
import { controlPlaneOf, leaveFacts, leaveRun } from '../support/left-run.ts';
import { flushers, killFlushers, leftIn, recordsIn } from '../support/state.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** What a run with this number has printed; the number is its exit code, too. */
const printedBy = (index: number) => Buffer.concat([Buffer.alloc(200_000), Buffer.from(`${index}\n`)]);

/** As many runs that ended in an outage, each with its own number; returns their ids. */
function leave(count: number, plane: FakeControlPlane, state: string): Promise<string[]> {
  const indexes = Array.from({ length: count }, (_, index) => index);
  return Promise.all(indexes.map((index) => leaveRun(state, plane, { stdout: printedBy(index), exitCode: index })));
}

sampledTest('however many flushers start at once, each run is sent once', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const left = await leave(8, plane, state);
  const flush = (...args: string[]) => leash(['flush', ...args], { plane, env });
  const [flushes, lasting, runs] = IS_PROOF ? [8, 3, 4] : [3, 2, 1];
  const all = [
    ...Array.from({ length: flushes }, () => flush()),
    ...Array.from({ length: lasting }, () => flush('--for', '1h')),
    ...Array.from({ length: runs }, () => leashRun(['echo', 'new'], { plane, env })),
  ];
  for (const each of all) expect((await each.exited()).code).toBe(0);
  await waitFor('no flusher', () => flushers(state).length === 0);
  // A run of which all is stored does not wait for a slow disk to remove its record: the next flusher does.
  await flush().exited();
  expect(leftIn(state)).toEqual([]);
  expect(plane.runs.size).toBe(left.length + runs);
  for (const [index, id] of left.entries()) {
    const run = plane.runs.get(id);
    expect(run).toMatchObject({ isComplete: true, completions: [{ exit_code: index }] });
    expect(run?.starts).toHaveLength(1);
    expect(run?.bytes('stdout').equals(printedBy(index))).toBe(true);
  }
});

sampledTest('processes that a run had left running and that have exited are reported as gone', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const left = [{ pid: 4711, command_line: 'a daemon' }];
  const id = await leaveRun(state, plane, { stdout: Buffer.from('out\n'), exitCode: 0, left_running: left });
  await leash(['flush'], { plane, env: { LEASH_STATE_DIR: state } }).exited();
  const run = plane.runs.get(id);
  expect(run?.completions[0]?.left_running).toEqual(left);
  expect(run?.of('left_running').at(-1)?.processes).toEqual([]);
  expect(leftIn(state)).toEqual([]);
});

sampledTest('there is one flusher for a credential, and another takes over from one that was killed', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const quiet = leashRun(['true'], { plane, env, options: ['--quiet'] });
  expect((await quiet.exited()).code).toBe(0);
  // Nothing is lost, so there is nothing to warn of.
  expect(quiet.stderr).toBe('');
  const [first] = await waitFor('one flusher', () => (flushers(state).length === 1 ? flushers(state) : null));
  const second = leash(['flush', '--for', '1h'], { plane, env });
  expect((await second.exited()).code).toBe(0);
  expect(second.stdout.toString()).toBe('another `leash flush` is running\n');
  expect(flushers(state)).toEqual([first]);

  // Another token may reach what this one doesn't.
  const other = leash(['flush', '--for', '1h'], { plane, env: { ...env, LEASH_TOKEN: 'another' } });
  await waitFor('two flushers', () => flushers(state).length === 2);
  other.kill('SIGKILL');
  await other.exited();

  await killFlushers(state);
  await leashRun(['true'], { plane, env, options: ['--quiet'] }).exited();
  await waitFor('a flusher that took the lock over', () => flushers(state).length === 1);
  await plane.listen();
  await waitFor('nothing left', () => leftIn(state).length === 0);
  await waitFor('no flusher', () => flushers(state).length === 0);
  expect([...plane.runs.values()].map(({ isComplete }) => isComplete)).toEqual([true, true]);
});

sampledTest('a flusher with `--for` ends in time, and lists what is unsent', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const state = stateDirectory();
  leaveFacts(state, { control_plane: controlPlaneOf(plane) });
  const flush = leash(['flush', '--for', '1s'], { plane, env: { LEASH_STATE_DIR: state } });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(/^0 sent, 1 left\n {2}\w+: .*ECONNREFUSED/);
  expect(leftIn(state)).toHaveLength(1);
});

test('a run that can never be sent does not keep others from being sent', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const left = Array.from({ length: 8 }, () => leaveFacts(state, { control_plane: controlPlaneOf(plane) })).sort();
  // Four are tried at a time: these come first.
  const stuck = left.slice(0, 4);
  plane.script.ackStart = (run) => !stuck.includes(run);
  leash(['flush', '--for', '1h'], { plane, env: { LEASH_STATE_DIR: state } });
  await waitFor('the others', () => [...plane.runs.values()].filter((run) => run.isLost).length === 8);
  await waitFor('nothing else left', () => leftIn(state).length === 4);
  expect(leftIn(state).sort()).toEqual(stuck);
});

test('the intact part of a damaged spool is sent, the rest is reported as gaps, and other runs are not affected', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const [flipped, truncated, noFacts, noEnd, strange, whole, old] = await leave(7, plane, state);
  const runs = path.join(state, 'runs');
  if (whole === undefined) throw new Error('there are fewer runs than there should be');
  const segmentOf = (run: string | undefined) => {
    const directory = path.join(runs, run ?? '');
    const sizes = fs.readdirSync(directory).map((name) => path.join(directory, name));
    return sizes.sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0] ?? '';
  };
  const bytes = fs.readFileSync(segmentOf(flipped));
  bytes[100_000] = (bytes[100_000] ?? 0) ^ 0xff;
  fs.writeFileSync(segmentOf(flipped), bytes);
  fs.truncateSync(segmentOf(truncated), 70_000);
  fs.writeFileSync(path.join(runs, noFacts ?? '', 'run.json'), '{"run":');
  fs.writeFileSync(path.join(runs, old ?? '', 'run.json'), JSON.stringify({ version: 1, run: old }));
  const oldFiles = fs.readdirSync(path.join(runs, old ?? ''));
  fs.writeFileSync(path.join(runs, noEnd ?? '', 'end.json'), 'garbage');
  fs.writeFileSync(path.join(runs, strange ?? '', 'core'), 'not ours');
  fs.mkdirSync(path.join(runs, strange ?? '', 'lost+found'));
  fs.writeFileSync(path.join(runs, 'README'), 'not ours');
  fs.mkdirSync(path.join(runs, '01ARZ3NDEKTSV4RRFFQ69G5FAV'));
  fs.symlinkSync('/nonexistent', path.join(runs, '01ARZ3NDEKTSV4RRFFQ69G5FAW'));

  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(
    new RegExp(
      `^5 sent, 0 left\n${noFacts}: can't be sent because its run.json is damaged; .* ${runs}/${noFacts}, .*\n` +
        `${old}: written by an older version of leash .* ${runs}/${old}\n$`,
    ),
  );
  expect(fs.readdirSync(path.join(runs, old ?? ''))).toEqual(oldFiles);
  const stored = (run: string | undefined) => plane.runs.get(run ?? '');
  for (const run of [flipped, truncated, strange, whole]) expect(stored(run)?.isComplete).toBe(true);
  expect(stored(whole)?.gaps).toEqual([]);
  expect(stored(strange)?.gaps).toEqual([]);
  for (const run of [flipped, truncated]) {
    expect(stored(run)?.gaps).toHaveLength(1);
    const sent = stored(run)?.bytes('stdout');
    expect(sent?.length).toBeGreaterThan(60_000);
    // Whatever was sent is what was printed there.
    expect(sent?.subarray(0, 60_000).every((byte) => byte === 0)).toBe(true);
  }
  // A bad spot takes along what it lies in, and nothing that follows.
  expect(stored(flipped)?.bytes('stdout').length).toBeGreaterThan(200_000 - 64 * 1024);
  // Its end is not known: it is reported like a run whose wrapper died.
  expect(stored(noEnd)).toMatchObject({ isLost: true, end: 200_002, completions: [] });
  expect(stored(noFacts)).toBe(undefined);
  expect(leftIn(state)).toContain(noFacts);
});

test("a run whose end can't be read now is not reported as lost, and the others are sent", async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const [unreadable = '', whole = ''] = await leave(2, plane, state);
  const end = path.join(state, 'runs', unreadable, 'end.json');
  fs.renameSync(end, `${end}.aside`);
  fs.mkdirSync(end);
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(new RegExp(`^1 sent, 1 left\n  ${unreadable}: EISDIR`));
  expect(plane.runs.get(whole)?.isComplete).toBe(true);
  expect(plane.runs.get(unreadable)).toBe(undefined);
  fs.rmdirSync(end);
  fs.renameSync(`${end}.aside`, end);
  expect((await leash(['flush'], { plane, env }).exited()).code).toBe(0);
  expect(plane.runs.get(unreadable)).toMatchObject({ isComplete: true, isLost: false });
});

test('a run that another flusher is sending is not reported as stored', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const run = leaveFacts(state, { control_plane: controlPlaneOf(plane) });
  const other = ownProcess();
  expect(other !== null && (await acquireOwnership(path.join(state, 'runs', run), other))).toBe(true);
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(0);
  expect(flush.stdout.toString()).toBe('1 being sent in the background\n');
  expect(plane.runs.get(run)).toBe(undefined);
});

test("runs of other control planes are listed with the command that sends them, and the exit code isn't 0", async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const other = { token_file: '/etc/other.token', ca_file: null };
  leaveFacts(state, { control_plane: { ...other, url: 'wss://other.example/x' } });
  leaveFacts(state, { control_plane: { ...other, url: 'wss://other.example/x' } });
  leaveFacts(state, { control_plane: { ...other, url: 'ws://127.0.0.1:1', token_file: null } });
  leaveFacts(state, { control_plane: null });
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toBe(
    '2 left for https://other.example/x: leash flush --url https://other.example/x --token-file /etc/other.token\n' +
      '1 left for http://127.0.0.1:1: with its token in LEASH_TOKEN, leash flush --url http://127.0.0.1:1\n',
  );
});

test('`leash flush` says when nothing is left', async () => {
  const flush = leash(['flush'], { plane: await controlPlane(), env: { LEASH_STATE_DIR: stateDirectory() } });
  expect((await flush.exited()).code).toBe(0);
  expect(flush.stdout.toString()).toBe('nothing is left to send\n');
});

test("a run isn't old by its dates; output that could not be sent for too long is given up and reported as missing", async () => {
  const plane = await controlPlane();
  await plane.stop();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const [old = '', tried = '', abandoned = ''] = await leave(3, plane, state);
  const directoryOf = (run: string) => path.join(state, 'runs', run);
  fs.rmSync(path.join(directoryOf(abandoned), 'end.json'));
  for (const name of fs.readdirSync(directoryOf(old))) fs.utimesSync(path.join(directoryOf(old), name), 0, 0);
  // Half a day ago it had been tried for a month, but for some hours.
  const { bootId, monotonicMs } = momentNow();
  const attempts = {
    version: FORMAT_VERSION,
    tried_ms: 29.6 * DAY_MS,
    boot_id: bootId,
    at_ms: monotonicMs - DAY_MS / 2,
  };
  for (const run of [tried, abandoned]) {
    fs.writeFileSync(path.join(directoryOf(run), 'attempts.json'), JSON.stringify(attempts));
  }

  const vain = leash(['flush'], { plane, env });
  expect((await vain.exited()).code).toBe(1);
  for (const run of [tried, abandoned]) {
    expect(vain.stdout.toString()).toContain(
      `${run}: gave up 200002 bytes of output, after 30 days of failed attempts; its end is kept and will report the gap\n`,
    );
  }
  expect(vain.stdout.toString()).not.toContain(`${old}: gave up`);
  await plane.listen();
  expect((await leash(['flush'], { plane, env }).exited()).code).toBe(0);
  expect(plane.runs.get(old)?.bytes('stdout').equals(printedBy(0))).toBe(true);
  for (const run of [tried, abandoned]) expect(plane.runs.get(run)?.gaps).toEqual([{ from: 0, to: 200_002 }]);
  expect(plane.runs.get(tried)).toMatchObject({ isComplete: true, completions: [{ exit_code: 1 }] });
  expect(plane.runs.get(abandoned)).toMatchObject({ isLost: true, end: 200_002 });
  expect(leftIn(state)).toEqual([]);
});

test('a run that the control plane will never accept is given up and reported', async () => {
  const plane = await controlPlane();
  plane.script.ackStart = false;
  const error = { type: 'error', code: 'run_conflict', message: 'another has this run', retry: 'never' };
  plane.script.afterStart = [JSON.stringify(error)];
  const env = { LEASH_STATE_DIR: stateDirectory() };
  leaveFacts(env.LEASH_STATE_DIR, { control_plane: controlPlaneOf(plane) });
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(
    /^\w+: gave up because the control plane will never accept it: .*run_conflict: another has this run\n$/,
  );
  expect(leftIn(env.LEASH_STATE_DIR)).toEqual([]);
  expect(plane.attempts).toBe(1);
});

test("a state directory that can't be used is reported", async () => {
  const state = stateDirectory();
  fs.chmodSync(state, 0o777);
  const flush = leash(['flush'], { plane: { url: 'http://127.0.0.1:1' }, env: { LEASH_STATE_DIR: state } });
  expect((await flush.exited()).code).toBe(255);
  expect(flush.stderr).toBe(
    `leash: cannot use the state directory: other users can write to ${state} and so replace its content; run chmod go-w on it\n`,
  );
});

test('a refusal is printed without the control plane’s escape sequences, and without a word about a running command', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 403;
  const env = { LEASH_STATE_DIR: stateDirectory() };
  leaveFacts(env.LEASH_STATE_DIR, { control_plane: controlPlaneOf(plane) });
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(/^0 sent, 1 left\n {2}\w+: .*\(403\): no<U\+001B>\[31m, really\n$/);
  expect(flush.stderr).toBe('');
});

sampledTest('thousands of other unsent runs delay neither the exit nor its work', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const left = IS_PROOF ? 5_000 : 500;
  for (let each = 0; each < left; each += 1) leaveFacts(state, {});
  const told = leashRun(['sh', '-c', 'exit 3'], { plane, env });
  expect(await told.exited()).toEqual({ code: 3, signal: null });
  expect(recordsIn(state)).toHaveLength(left);
  await plane.stop();
  const unreported = leashRun(['sh', '-c', 'echo kept; exit 4'], { plane, options: ['-v'], env });
  expect(await unreported.exited()).toEqual({ code: 4, signal: null });
  expect(unreported.stderr).toMatch(/started `leash flush` in the background\n.*to be sent in the background\n$/);
});
