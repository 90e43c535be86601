/** A run whose wrapper is killed is taken over by a successor: it stays in reach, and nothing of it is lost. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import type { FakeRun } from '#testing/fake-run';
import { sampledTest } from '#testing/sampled-test';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import type { RunFacts } from '../../src/state/run-file.ts';
import { gate } from '../support/gate.ts';
import {
  controlPlane,
  leash,
  leashRun,
  marker,
  PROGRAM,
  sabotage,
  shell,
  stateDirectory,
  WAIT,
  WITHOUT_CGROUP,
} from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { placesShowing } from '../support/public-view.ts';
import { adopters, flushers, guardians, killWithGuardian, leftIn, recordsIn, usersOf } from '../support/state.ts';

function successors({ starts }: FakeRun): unknown[] {
  return starts.map(({ phase, successor = 0 }) => [phase, successor]);
}

/** Where the records of runs name them. */
function journalsOf(state: string): (string | null | undefined)[] {
  return recordsIn(state).map((id) => {
    const facts = JSON.parse(fs.readFileSync(path.join(state, 'runs', id, 'run.json'), 'utf8')) as RunFacts;
    return facts.supervision.journal;
  });
}

const READ_ONLY_TO_SUCCESSORS = sabotage(`
  import fs from 'node:fs/promises';
  import { syncBuiltinESMExports } from 'node:module';
  const readOnly = async () => {
    throw Object.assign(new Error('read-only file system'), { code: 'EROFS' });
  };
  if (process.argv[2] === 'adopt') for (const name of ['writeFile', 'rename', 'unlink', 'rm']) fs[name] = readOnly;
  syncBuiltinESMExports();
`);

test.each(sampleOf([{}, WITHOUT_CGROUP]))(
  'it stays running, its output continues without a gap, and a kill ends it; nobody else sees its id meanwhile (%#)',
  async (env) => {
    const plane = await controlPlane();
    const state = stateDirectory();
    // As a package may have made it.
    fs.chmodSync(state, 0o755);
    const mark = marker();
    const go = gate();
    const run = leashRun(shell(`echo one; ${go.wait}; echo two; sleep 1000; :`, mark), {
      plane,
      env: { LEASH_STATE_DIR: state, ...env },
    });
    const stored = await plane.run();
    await waitFor('the first line', () => stored.text('stdout') === 'one\n');
    await waitFor('a guardian', () => guardians(state).length > 0);
    const [id = ''] = plane.runs.keys();
    expect(placesShowing(id, [state])).toEqual([]);
    run.kill('SIGKILL');
    go.open();
    await waitFor('the second line', () => stored.text('stdout') === 'one\ntwo\n');
    expect(successors(stored)).toEqual([
      ['running', 0],
      ['running', 1],
    ]);
    expect(adopters(state)).toHaveLength(1);
    expect(placesShowing(id, [state])).toEqual([]);
    plane.kill(newKillId());
    await waitFor('the end', () => stored.isComplete);
    expect(stored.completions[0]).toMatchObject({ reason: 'operator', exit_code: 143 });
    expect(stored.gaps).toEqual([]);
    expect(living(mark)).toEqual([]);
    await waitFor('nobody', () => usersOf(state).length === 0);
    expect(leftIn(state)).toEqual([]);
  },
);

test('what its wrapper had read and nobody stored yet is there, and so is what it held back', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const go = gate();
  await plane.stop();
  const script = `printf %300000s x; echo; printf abcdefgh; ${go.wait}; echo 12345678 >&2; echo 12345678; sleep 1000; :`;
  const run = leashRun(shell(script, marker()), {
    plane,
    env: { LEASH_STATE_DIR: state, DATABASE_PASSWORD: 'abcdefgh12345678' },
  });
  await waitFor('the output', () => run.stdout.length === 300_009);
  // It has passed through the wrapper, and has perhaps not even been handed to the disk.
  await waitFor('a record of it', () => recordsIn(state).length > 0);
  run.kill('SIGKILL');
  go.open();
  await plane.listen();
  const stored = await plane.run();
  await waitFor('the last line', () => stored.text('stdout').endsWith(']\n'));
  expect(stored.gaps).toEqual([]);
  expect(stored.text('stdout').trimStart()).toBe('x\n[REDACTED]\n');
  expect(stored.text('stdout')).toHaveLength(300_001 + '[REDACTED]\n'.length);
  expect(stored.text('stderr')).toBe('12345678\n');
});

test('a command that ends by itself ends the run, with a reason that says that nobody saw how', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const go = gate();
  const run = leashRun(shell(`echo one; ${go.wait}; echo two; exit 3`, marker()), {
    plane,
    env: { LEASH_STATE_DIR: state },
  });
  const stored = await plane.run();
  await waitFor('the first line', () => stored.text('stdout') === 'one\n');
  run.kill('SIGKILL');
  await waitFor('a successor', () => stored.starts.length === 2);
  go.open();
  await waitFor('the end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'exit_unknown', exit_code: 255, command_exit_code: null });
  expect(stored.text('stdout')).toBe('one\ntwo\n');
  await waitFor('nothing left', () => leftIn(state).length === 0);
});

sampledTest('a kill in progress continues, and is not begun again', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const run = leashRun(shell(`trap 'echo term' TERM; echo ready; ${WAIT}`, mark), {
    plane,
    env: { LEASH_STATE_DIR: state },
  });
  const stored = await plane.run();
  await waitFor('ready', () => run.stdout.includes('ready'));
  const [gentle, hard] = [newKillId(), newKillId()];
  plane.kill(gentle, { grace_ms: 3_600_000 });
  await waitFor('the signal', () => stored.text('stdout').includes('term'));
  run.kill('SIGKILL');
  await waitFor('a successor', () => stored.starts.length === 2);
  expect(stored.starts[1]?.applied_kills).toMatchObject([{ kill: gentle, phase: 'term' }]);
  plane.kill(hard, { signal: 'SIGKILL' });
  await waitFor('the end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'operator', exit_code: 143 });
  expect(stored.completions[0]?.applied_kills.map(({ kill, phase }) => [kill, phase])).toEqual([
    [gentle, 'gone'],
    [hard, 'gone'],
  ]);
  expect(stored.text('stdout')).toBe('ready\nterm\n');
  expect(living(mark)).toEqual([]);
});

sampledTest('a successor that is killed has a successor, and the output still has no gap', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const [first, second] = [gate(), gate()];
  const script = `echo one; ${first.wait}; echo two; ${second.wait}; echo three; sleep 1000; :`;
  const run = leashRun(shell(script, marker()), { plane, env: { LEASH_STATE_DIR: state } });
  const stored = await plane.run();
  await waitFor('the first line', () => stored.text('stdout') === 'one\n');
  run.kill('SIGKILL');
  first.open();
  await waitFor('the second line', () => stored.text('stdout') === 'one\ntwo\n');
  for (const pid of adopters(state)) process.kill(pid, 'SIGKILL');
  second.open();
  await waitFor('the third line', () => stored.text('stdout') === 'one\ntwo\nthree\n');
  expect(stored.starts.at(-1)?.successor).toBe(2);
  expect(stored.gaps).toEqual([]);
});

sampledTest('a disk that takes nothing any more keeps nobody from taking it over, again and again', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const [first, second] = [gate(), gate()];
  const script = `echo one; ${first.wait}; echo two; ${second.wait}; echo three; sleep 1000; :`;
  const env = { ...READ_ONLY_TO_SUCCESSORS, LEASH_STATE_DIR: state };
  const run = leashRun(shell(script, marker()), { plane, env });
  const stored = await plane.run();
  await waitFor('the first line', () => stored.text('stdout') === 'one\n');
  await waitFor('a record of it', () => recordsIn(state).length === 1);
  run.kill('SIGKILL');
  await waitFor('a successor', () => stored.starts.length === 2);
  await plane.stop();
  first.open();
  const [journal] = journalsOf(state);
  await waitFor('the second line', () => fs.readFileSync(`${journal}/output`, 'latin1').includes('two\n'));
  for (const pid of adopters(state)) process.kill(pid, 'SIGKILL');
  await plane.listen();
  second.open();
  await waitFor('the third line', () => stored.text('stdout') === 'one\ntwo\nthree\n');
  expect(stored.gaps).toEqual([]);
});

test.each(sampleOf(['run', 'flush', 'orphans'] as const))(
  'when its guardian is killed, too, the next `leash %s` takes it over',
  async (what) => {
    const plane = await controlPlane();
    const state = stateDirectory();
    const mark = marker();
    const go = gate();
    const env = { LEASH_STATE_DIR: state };
    const run = leashRun(shell(`echo one; ${go.wait}; echo two, pin 12; sleep 1000; :`, mark), {
      plane,
      // Which who comes next has not.
      env: { ...env, LEASH_REDACT: 'pin \\d+' },
    });
    const stored = await plane.run();
    await waitFor('the first line', () => stored.text('stdout') === 'one\n');
    await waitFor('a record of it', () => recordsIn(state).length === 1);
    await killWithGuardian(run.process, state);
    await run.exited();
    await leash(what === 'run' ? ['run', '--job', 'other', '--', 'true'] : [what], { plane, env }).exited();
    await waitFor('a successor', () => stored.starts.length === 2);
    go.open();
    await waitFor('the second line', () => stored.text('stdout') === 'one\ntwo, [REDACTED]\n');
    plane.kill(newKillId());
    await waitFor('the end', () => stored.isComplete);
    expect(stored.completions[0]).toMatchObject({ reason: 'operator', exit_code: 143 });
    expect(living(mark)).toEqual([]);
  },
);

sampledTest('of a run of which all was killed at once what it had printed is sent, and its journal goes', async () => {
  const plane = await controlPlane();
  await plane.stop();
  const state = stateDirectory();
  const mark = marker();
  const env = { LEASH_STATE_DIR: state };
  const run = leashRun(shell(`echo one; ${WAIT}`, mark), { plane, env });
  await waitFor('the first line', () => run.stdout.toString() === 'one\n');
  await waitFor('a record of it', () => recordsIn(state).length === 1);
  const [journal] = journalsOf(state);
  await killWithGuardian(run.process, state);
  await run.exited();
  // With the `sleep` that it waits for.
  for (const pid of living(mark)) process.kill(-pid, 'SIGKILL');
  await waitFor('that nothing lives', () => living(mark).length === 0);
  await plane.listen();
  await leash(['flush'], { plane, env }).exited();
  const stored = await plane.run();
  expect(stored.isLost).toBe(true);
  expect(stored.text('stdout')).toBe('one\n');
  expect(fs.existsSync(journal ?? '')).toBe(false);
});

sampledTest(
  'a secret that only the command was given stays hidden, even if that has overwritten its environment',
  async () => {
    const plane = await controlPlane();
    const go = gate();
    const script = `echo one; ${go.wait}; echo abcdefgh; sleep 1000; :`;
    // Who started with nothing has the secret from elsewhere, as one whose title has overwritten its environment.
    const run = leashRun(['env', '-i', `PATH=${process.env.PATH}`, ...shell(script, marker())], {
      plane,
      env: { LEASH_STATE_DIR: stateDirectory() },
      options: ['--env', 'DATABASE_PASSWORD=abcdefgh'],
    });
    const stored = await plane.run();
    await waitFor('the first line', () => stored.text('stdout') === 'one\n');
    run.kill('SIGKILL');
    go.open();
    await waitFor('the second line', () => stored.text('stdout').length > 'one\nabc'.length);
    expect(stored.text('stdout')).toBe('one\n[REDACTED]\n');
  },
);

sampledTest('its limits continue counting from its start', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const run = leashRun(shell(`echo one; ${gate().wait}`, mark), { plane, env, options: ['--timeout', '2h'] });
  const stored = await plane.run();
  await waitFor('a record of it', () => recordsIn(state).length === 1);
  await killWithGuardian(run.process, state);
  await run.exited();
  const [id = ''] = recordsIn(state);
  const file = path.join(state, 'runs', id, 'run.json');
  const facts = JSON.parse(fs.readFileSync(file, 'utf8')) as RunFacts;
  // It was started three hours earlier, by the wall clock: the other may have begun after that.
  const started_at_ms = facts.started_at_ms - 3 * 60 * 60 * 1_000;
  fs.writeFileSync(file, JSON.stringify({ ...facts, boot_id: 'unknown', started_at_ms }));
  await leash(['orphans'], { plane, env }).exited();
  await waitFor('the end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'timeout', exit_code: 124 });
  expect(living(mark)).toEqual([]);
});

sampledTest('`leash` is replaced during a run: the new program takes the run over', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const program = path.join(state, 'leash');
  fs.copyFileSync(PROGRAM, program);
  const run = leashRun(shell(`echo one; ${gate().wait}`, marker()), {
    plane,
    env: { LEASH_STATE_DIR: state },
    program,
  });
  const stored = await plane.run();
  await waitFor('the first line', () => stored.text('stdout') === 'one\n');
  fs.rmSync(program);
  run.kill('SIGKILL');
  await run.exited();
  fs.copyFileSync(PROGRAM, `${program}.new`);
  fs.renameSync(`${program}.new`, program);
  await waitFor('a successor', () => stored.starts.at(-1)?.successor === 1);
  plane.kill(newKillId());
  await waitFor('the end', () => stored.isComplete);
});

sampledTest('an unsupervised run is taken over as well, for its limits', async () => {
  const state = stateDirectory();
  const mark = marker();
  const go = gate();
  const run = leashRun(shell(`${go.wait}; echo one; ${WAIT}`, mark), {
    env: { LEASH_STATE_DIR: state },
    options: ['--idle-timeout', '300ms', '--wrapper-death', 'keep'],
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await waitFor('its guardian', () => guardians(state).length === 1);
  run.kill('SIGSTOP');
  run.kill('SIGKILL');
  await waitFor('the end of it', () => living(mark).length === 0);
  go.open();
});

test('what a command leaves running after its end is named, and a kill that comes later ends it', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const command = shell(`sh -c '${gate().wait}' ${mark}-child >/dev/null 2>&1 & exit 4`, mark);
  const run = leashRun(command, { plane, env: { LEASH_STATE_DIR: state } });
  expect((await run.exited()).code).toBe(4);
  const stored = await plane.run();
  const [pid] = living(`${mark}-child`);
  expect(stored.completions[0]?.left_running).toMatchObject([{ pid, command_line: expect.stringContaining(mark) }]);

  await waitFor('who keeps it in reach', () => stored.starts.some(({ phase }) => phase === 'ended'));
  await waitFor('what is left', () => stored.of('left_running').length > 0);
  expect(stored.of('left_running')[0]?.processes.map((each) => each.pid)).toEqual([pid]);
  plane.kill(newKillId());
  await waitFor('that nothing is left', () => stored.of('left_running').at(-1)?.processes.length === 0);
  expect(stored.killings.map(({ phase }) => phase)).toEqual(['term', 'gone']);
  expect(living(`${mark}-child`)).toEqual([]);
  // Its end stands.
  expect(stored.completions[0]?.exit_code).toBe(4);
  await waitFor('nobody', () => usersOf(state).length === 0);
  expect(leftIn(state)).toEqual([]);
});

// Takes the minute for which a keeper tries it.
test.runIf(IS_PROOF)('in an outage it is for a flusher to tell that nothing is left', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const command = shell(`sh -c '${gate().wait}' ${mark}-child >/dev/null 2>&1 & exit 4`, mark);
  const env = { LEASH_STATE_DIR: state };
  expect((await leashRun(command, { plane, env }).exited()).code).toBe(4);
  const stored = await plane.run();
  await waitFor('who keeps it in reach', () => stored.starts.some(({ phase }) => phase === 'ended'));
  await plane.stop();
  for (const pid of living(`${mark}-child`)) process.kill(pid, 'SIGKILL');
  await waitFor('a flusher, and nobody else', () => flushers(state).length === 1 && adopters(state).length === 0);
  await plane.listen();
  await waitFor('that nothing is left', () => stored.of('left_running').at(-1)?.processes.length === 0);
  await waitFor('nobody', () => usersOf(state).length === 0);
  expect(leftIn(state)).toEqual([]);
});

sampledTest('when the command goes with wrapper and guardian, what it has started is taken over', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const mark = marker();
  const run = leashRun(shell(`sh -c '${gate().wait}' ${mark}-child >/dev/null 2>&1 & echo one; ${gate().wait}`, mark), {
    plane,
    env: { LEASH_STATE_DIR: state },
  });
  const stored = await plane.run();
  await waitFor('the first line', () => stored.text('stdout') === 'one\n');
  await waitFor('a record of it', () => recordsIn(state).length === 1);
  await killWithGuardian(run.process, state);
  process.kill(stored.starts[0]?.pid ?? 0, 'SIGKILL');
  await waitFor('the child alone', () => living(mark).length === 1);
  const flush = leash(['flush'], { plane, env: { LEASH_STATE_DIR: state } });
  await flush.exited();
  // A line may follow: until the successor has recorded itself, the run looks like one that is being sent.
  expect(flush.stdout.toString()).toMatch(/^1 taken over by a new wrapper: their processes keep running\n/);
  await waitFor('the end of the command', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'exit_unknown', left_running: [{}] });
  await waitFor('who keeps the child in reach', () => stored.of('left_running').length > 0);
  plane.kill(newKillId());
  await waitFor('the end of it', () => living(mark).length === 0);
});
