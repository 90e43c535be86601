/** Many who would send what is left, and what is left in a bad state. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { FakeControlPlane } from '#testing/fake-control-plane';
import { waitFor } from '#testing/wait-for';
import { ownProcess, take } from '../../src/spool/owner.ts';
import { controlPlane, leash, leashRun, stateDirectory } from '../support/leash.ts';
import { someFacts } from '../support/run-facts.ts';
import { flushers, killFlushers, leftIn, recordsIn } from '../support/state.ts';

/** Lets `count` runs end in an outage; each has its own number, after some output, as its last line and its code. */
async function leave(count: number, store: FakeControlPlane, env: NodeJS.ProcessEnv): Promise<void> {
  await store.stop();
  const runs = Array.from({ length: count }, (_, index) =>
    leashRun(['sh', '-c', `head -c 200000 /dev/zero; echo ${index}; exit ${index}`], {
      plane: store,
      options: ['--quiet', '--instance', `n${index}`],
      env,
    }),
  );
  await Promise.all(runs.map((run) => run.exited()));
}

test('however many start at once, each run is sent by one of them, once', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(8, store, env);
  expect(recordsIn(state)).toHaveLength(8);
  expect(flushers(state).length).toBeGreaterThan(0);
  await store.listen();
  const flushes = Array.from({ length: 8 }, () => leash(['flush'], { plane: store, env }));
  const lasting = Array.from({ length: 3 }, () => leash(['flush', '--for', '1h'], { plane: store, env }));
  const runs = Array.from({ length: 4 }, () => leashRun(['echo', 'new'], { plane: store, env }));
  for (const each of [...flushes, ...lasting, ...runs]) expect((await each.exited()).code).toBe(0);
  await waitFor('nothing left', () => leftIn(state).length === 0);
  await waitFor('no flusher', () => flushers(state).length === 0);
  expect(store.runs.size).toBe(12);
  const left = [...store.runs.values()].filter((run) => run.text('stdout') !== 'new\n');
  expect(left).toHaveLength(8);
  for (const run of left) {
    expect(run.isComplete).toBe(true);
    expect(run.starts).toHaveLength(1);
    const code = run.completions[0]?.exit_code ?? -1;
    expect(run.bytes('stdout').equals(Buffer.concat([Buffer.alloc(200_000), Buffer.from(`${code}\n`)]))).toBe(true);
  }
  expect(new Set(left.map((run) => run.completions[0]?.exit_code)).size).toBe(8);
});

test('there is one flusher for a credential, and another takes over from one that was killed', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(4, store, env);
  await waitFor('one flusher', () => flushers(state).length === 1);
  const [first] = flushers(state);
  const second = leash(['flush', '--for', '1h'], { plane: store, env });
  expect((await second.exited()).code).toBe(0);
  expect(second.stdout.toString()).toBe('another `leash flush` is at it\n');
  expect(flushers(state)).toEqual([first]);

  // Another token may reach what this one doesn't.
  const other = leash(['flush', '--for', '1h'], { plane: store, env: { ...env, LEASH_TOKEN: 'another' } });
  await waitFor('two flushers', () => flushers(state).length === 2);
  other.kill('SIGKILL');
  await other.exited();

  await killFlushers(state);
  await waitFor('no flusher', () => flushers(state).length === 0);
  await leashRun(['true'], { plane: store, env }).exited();
  await waitFor('a flusher that took the lock over', () => flushers(state).length === 1);
  await store.listen();
  await waitFor('nothing left', () => leftIn(state).length === 0);
  await waitFor('no flusher', () => flushers(state).length === 0);
  expect([...store.runs.values()].filter((run) => run.isComplete)).toHaveLength(5);
});

test('a flusher that was given a time ends after it, and says what is left', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(1, store, env);
  await killFlushers(state);
  const flush = leash(['flush', '--for', '2s'], { plane: store, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(/^0 sent, 1 left\n {2}\w+: .*ECONNREFUSED/);
  expect(leftIn(state)).toHaveLength(1);
});

test('a run that can never be sent does not keep others from being sent', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(8, store, env);
  await killFlushers(state);
  const names = recordsIn(state).sort();
  store.script.ackStart = (run) => !names.slice(0, 4).includes(run);
  await store.listen();
  // Four are tried at a time: these come first.
  leash(['flush', '--for', '1h'], { plane: store, env });
  await waitFor('the others', () => [...store.runs.values()].filter((run) => run.isComplete).length === 4);
  await waitFor('nothing else left', () => leftIn(state).length === 4);
  expect(leftIn(state).sort()).toEqual(names.slice(0, 4));
});

test('what is right in a damaged spool is sent, what is not is told as gaps, and other runs do not suffer', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(6, store, env);
  await killFlushers(state);
  await waitFor('no flusher', () => flushers(state).length === 0);
  const runs = path.join(state, 'runs');
  const [flipped, truncated, noFacts, noEnd, strange, whole] = recordsIn(state).sort();
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
  fs.writeFileSync(path.join(runs, noEnd ?? '', 'end.json'), 'garbage');
  fs.writeFileSync(path.join(runs, strange ?? '', 'core'), 'not ours');
  fs.mkdirSync(path.join(runs, strange ?? '', 'lost+found'));
  fs.writeFileSync(path.join(runs, 'README'), 'not ours');
  fs.mkdirSync(path.join(runs, '01ARZ3NDEKTSV4RRFFQ69G5FAV'));
  fs.symlinkSync('/nonexistent', path.join(runs, '01ARZ3NDEKTSV4RRFFQ69G5FAW'));

  await store.listen();
  const flush = leash(['flush'], { plane: store, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(
    new RegExp(`^5 sent, 0 left\n${noFacts}: can't be sent, its run.json is damaged; .* ${runs}/${noFacts}, .*\n$`),
  );
  const stored = (run: string | undefined) => store.runs.get(run ?? '');
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
  // Its end is not known, so it is told as one whose wrapper died.
  expect(stored(noEnd)).toMatchObject({ isLost: true, end: 200_002, completions: [] });
  expect(stored(noFacts)).toBe(undefined);
  expect(leftIn(state)).toContain(noFacts);
});

test('a run whose end is there and can not be read now is not told as lost, and the others are sent', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(2, store, env);
  await killFlushers(state);
  await waitFor('no flusher', () => flushers(state).length === 0);
  const [unreadable = '', whole = ''] = recordsIn(state).sort();
  const end = path.join(state, 'runs', unreadable, 'end.json');
  fs.renameSync(end, `${end}.aside`);
  fs.mkdirSync(end);
  await store.listen();
  const flush = leash(['flush'], { plane: store, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(new RegExp(`^1 sent, 1 left\n  ${unreadable}: EISDIR`));
  expect(store.runs.get(whole)?.isComplete).toBe(true);
  expect(store.runs.get(unreadable)).toBe(undefined);
  fs.rmdirSync(end);
  fs.renameSync(`${end}.aside`, end);
  expect((await leash(['flush'], { plane: store, env }).exited()).code).toBe(0);
  expect(store.runs.get(unreadable)).toMatchObject({ isComplete: true, isLost: false });
});

test('what another flusher has just now is not said to be stored', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  await leave(1, store, env);
  await killFlushers(state);
  await waitFor('no flusher', () => flushers(state).length === 0);
  const [run = ''] = recordsIn(state);
  const other = ownProcess();
  expect(other !== null && (await take(path.join(state, 'runs', run), other))).toBe(true);
  await store.listen();
  const flush = leash(['flush'], { plane: store, env });
  expect((await flush.exited()).code).toBe(0);
  expect(flush.stdout.toString()).toBe('1 being sent in the background\n');
  expect(store.runs.get(run)).toBe(undefined);
});

test('what is left for other control planes is told, with what sends it, and keeps the exit code from being 0', async () => {
  const store = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const other = { token_file: '/etc/other.token', ca_file: null };
  leaveFacts(state, { control_plane: { ...other, url: 'wss://other.example/x' } });
  leaveFacts(state, { control_plane: { ...other, url: 'wss://other.example/x' } });
  leaveFacts(state, { control_plane: { ...other, url: 'ws://127.0.0.1:1', token_file: null } });
  leaveFacts(state, { control_plane: null });
  const flush = leash(['flush'], { plane: store, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toBe(
    '2 left for https://other.example/x: leash flush --url https://other.example/x --token-file /etc/other.token\n' +
      '1 left for http://127.0.0.1:1: with its token in LEASH_TOKEN, leash flush --url http://127.0.0.1:1\n',
  );
});

test('where nothing is left it says so', async () => {
  const flush = leash(['flush'], { plane: await controlPlane(), env: { LEASH_STATE_DIR: stateDirectory() } });
  expect((await flush.exited()).code).toBe(0);
  expect(flush.stdout.toString()).toBe('nothing is left to send\n');
});

test('a run that the control plane will never take is given up, and said', async () => {
  const plane = await controlPlane();
  plane.script.ackStart = false;
  const error = { type: 'error', code: 'run_conflict', message: 'another has this run', retry: 'never' };
  plane.script.afterStart = [JSON.stringify(error)];
  const env = { LEASH_STATE_DIR: stateDirectory() };
  leaveFacts(env.LEASH_STATE_DIR, {
    control_plane: { url: plane.url.replace(/^http/, 'ws'), token_file: null, ca_file: null },
  });
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(
    /^\w+: given up, the control plane will never take it: .*run_conflict: another has this run\n$/,
  );
  expect(leftIn(env.LEASH_STATE_DIR)).toEqual([]);
  expect(plane.attempts).toBe(1);
});

test('it speaks of no command that runs on', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 401;
  const env = { LEASH_STATE_DIR: stateDirectory() };
  leaveFacts(env.LEASH_STATE_DIR, {
    control_plane: { url: plane.url.replace(/^http/, 'ws'), token_file: null, ca_file: null },
  });
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toMatch(/^0 sent, 1 left\n {2}\w+: .*\(401\)/);
  expect(flush.stderr).toBe('');
});

test('a state directory that can not be used is told as that', async () => {
  const state = stateDirectory();
  fs.chmodSync(state, 0o777);
  const flush = leash(['flush'], { plane: { url: 'http://127.0.0.1:1' }, env: { LEASH_STATE_DIR: state } });
  expect((await flush.exited()).code).toBe(255);
  expect(flush.stderr).toBe(`leash: the state directory can't be used: others may write to ${state}; chmod 700 it\n`);
});

/** What a run leaves behind of which there is nothing but the record. */
function leaveFacts(state: string, changes: Parameters<typeof someFacts>[0]): void {
  const facts = { version: 1, ...someFacts(changes) };
  const directory = path.join(state, 'runs', facts.run);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, 'run.json'), JSON.stringify(facts));
  fs.writeFileSync(path.join(directory, 'owner@nobody'), '');
}

test('what a control plane says reaches the terminal without its escape sequences', async () => {
  const plane = await controlPlane();
  plane.script.refuse = 403;
  const env = { LEASH_STATE_DIR: stateDirectory() };
  expect((await leashRun(['true'], { plane, env }).exited()).code).toBe(0);
  await killFlushers(env.LEASH_STATE_DIR);
  await waitFor('no flusher', () => flushers(env.LEASH_STATE_DIR).length === 0);
  const flush = leash(['flush'], { plane, env });
  expect((await flush.exited()).code).toBe(1);
  expect(flush.stdout.toString()).toContain('no?[31m, really');
});

test('thousands of runs that others have left delay neither the exit nor what is to be done there', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const left = 5_000;
  for (let each = 0; each < left; each += 1) leaveFacts(state, {});
  const told = leashRun(['sh', '-c', 'exit 3'], { plane, env });
  expect(await told.exited()).toEqual({ code: 3, signal: null });
  expect(recordsIn(state)).toHaveLength(left);
  await plane.stop();
  const untold = leashRun(['sh', '-c', 'echo kept; exit 4'], { plane, options: ['-v'], env });
  expect(await untold.exited()).toEqual({ code: 4, signal: null });
  expect(untold.stderr).toMatch(/started `leash flush` in the background\n.*to be sent in the background\n$/);
});
