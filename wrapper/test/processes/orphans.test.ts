/** Commands that lost their wrapper: found, and ended. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { sampledTest } from '#testing/sampled-test';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { acquireOwnership, ownProcess } from '../../src/state/owner.ts';
import type { RunFacts } from '../../src/state/run-file.ts';
import { gate } from '../support/gate.ts';
import { controlPlane, type Leash, leash, leashRun, marker, shell, stateDirectory } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { killWithGuardian, leftIn, recordsIn } from '../support/state.ts';

interface Started {
  readonly id: string;
  readonly run: Leash;
}

async function start(mark: string, state: string, options: readonly string[] = []): Promise<Started> {
  const known = new Set(recordsIn(state));
  const { wait } = gate();
  const script = `setsid sh -c '${wait}' ${mark}-child & trap '' TERM; ${wait}`;
  const run = leashRun(shell(script, mark), { options, env: { LEASH_STATE_DIR: state } });
  await waitFor('the command and its child', () => living(`${mark}-child`).length > 0);
  const id = await waitFor('a record of it', () => recordsIn(state).find((name) => !known.has(name)));
  return { id, run };
}

/** Starts a run whose wrapper is killed, and its guardian with it; resolves with its id. */
async function orphan(mark: string, state: string, options: readonly string[] = []): Promise<string> {
  const { id, run } = await start(mark, state, options);
  await killWithGuardian(run.process, state);
  await run.exited();
  return id;
}

test('they are ended by id, or all of them, with all that they started', async () => {
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const none = leash(['orphans'], { env });
  expect((await none.exited()).code).toBe(0);
  expect(none.stdout.toString()).toBe('no orphans found\n');

  const marks = [marker(), marker(), marker()] as const;
  const first = await start(marks[0], state, ['--job', 'night']);
  const second = await start(marks[1], state);
  // A run whose wrapper lives is none.
  const supervised = await start(marks[2], state, ['--grace', '300ms']);
  for (const { run } of [first, second]) {
    await killWithGuardian(run.process, state);
    await run.exited();
  }

  const unknown = leash(['orphans', '--kill', '01ARZ3NDEKTSV4RRFFQ69G5FAV'], { env });
  expect((await unknown.exited()).code).toBe(1);
  expect(unknown.stderr).toContain('01ARZ3NDEKTSV4RRFFQ69G5FAV is not an orphan');
  expect(living(marks[0])).not.toEqual([]);

  const named = sampleOf([true, false])[0] ? [first.id] : [];
  const kill = leash(['orphans', '--kill', '--grace', '300ms', ...named], { env });
  expect((await kill.exited()).code).toBe(0);
  expect(kill.stdout.toString()).toMatch(new RegExp(`^run ${first.id} of night: ended, \\d processes$`, 'm'));
  expect(living(marks[0])).toEqual([]);
  expect(living(marks[1]).length > 0).toBe(named.length > 0);
  expect(living(marks[2])).not.toEqual([]);
  // Nothing of it is left to find or to send.
  await waitFor('the end of its record', () => !leftIn(state).includes(first.id));
  supervised.run.kill('SIGTERM');
  await supervised.run.exited();
  expect(living(marks[2])).toEqual([]);
});

test('the guardian’s variables have no effect on what a person runs', async () => {
  const state = stateDirectory();
  const mark = marker();
  const { id } = await start(mark, state);
  // As a shell has it that was started from a run, or by somebody who means harm.
  const told = { LEASH_INHERITED: JSON.stringify(factsOf(id, state)) };
  const kill = leash(['orphans', '--kill', '--grace', '0'], { env: { ...told, LEASH_STATE_DIR: stateDirectory() } });
  expect((await kill.exited()).code).toBe(0);
  expect(kill.stdout.toString()).toBe('no orphans found\n');
  // Nor does a run hand them on to its own guardian.
  const another = leashRun(['sh', '-c', 'exit 3'], { env: { ...told, LEASH_STATE_DIR: stateDirectory() } });
  expect((await another.exited()).code).toBe(3);
  expect(living(mark)).toHaveLength(2);
});

sampledTest('listed, they are taken over', async () => {
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const id = await orphan(mark, state, ['--grace', '300ms']);
  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  const [header = '', row = '', ...rows] = list.stdout.toString().trimEnd().split('\n');
  expect(header).toMatch(/^RUN +JOB +PID +STARTED +PROCESSES +COMMAND$/);
  expect(row).toMatch(new RegExp(`^${id} +test +\\d+ +\\d{4}-\\S+Z +\\d +sh -c`));
  expect(rows).toEqual(['all being taken over by new wrappers: they can be seen and stopped again']);
  const successor = await waitFor('that it has been taken over', () => {
    const { supervision, wrapper } = factsOf(id, state);
    return supervision.successor === 1 ? wrapper.pid : null;
  });
  const kill = leash(['orphans', '--kill', id], { env });
  expect((await kill.exited()).code).toBe(1);
  expect(kill.stderr).toContain(`${id} is no longer an orphan: process ${successor} has taken it over`);
  process.kill(successor, 'SIGTERM');
  await waitFor('the end of it', () => living(mark).length === 0);
});

sampledTest('the end of one that is ended by hand is reported', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const id = await orphan(marker(), state, ['--url', plane.url, '--token-file', tokenIn(state)]);
  const kill = leash(['orphans', '--kill', '--grace', '0', id], { env: { LEASH_STATE_DIR: state } });
  expect((await kill.exited()).code).toBe(0);
  const stored = await waitFor('the run', () => plane.runs.get(id));
  await waitFor('its end', () => stored.isComplete);
  expect(stored.completions[0]).toMatchObject({ reason: 'local_signal', exit_code: 255 });
});

sampledTest('an orphan that can not be taken over is reported as lost, and is listed until it ends', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const id = await orphan(mark, state, ['--url', plane.url, '--token-file', tokenIn(state)]);
  // As if it had been started in another PID namespace.
  const file = path.join(state, 'runs', id, 'run.json');
  const facts = factsOf(id, state);
  Object.assign(facts.process_tree?.leader ?? {}, { pidNamespace: '1' });
  fs.writeFileSync(file, JSON.stringify(facts));
  await leash(['flush', '--url', plane.url, '--token-file', tokenIn(state)], { env }).exited();
  const stored = await plane.run();
  await waitFor('that it is reported as lost', () => stored.isLost);
  await waitFor('its record', () => fs.existsSync(path.join(state, 'runs', id, 'uploaded')));
  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  expect(list.stdout.toString()).toContain(id);
  for (const pid of living(mark)) process.kill(pid, 'SIGKILL');
  await waitFor('the end of it', () => living(mark).length === 0);
  const none = leash(['orphans'], { env });
  expect((await none.exited()).code).toBe(0);
  expect(none.stdout.toString()).toBe('no orphans found\n');
  expect(leftIn(state)).toEqual([]);
  expect(stored.starts.filter(({ phase }) => phase === 'abandoned')).toHaveLength(1);
});

sampledTest('one is found and ended while a flusher has its record', async () => {
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const id = await orphan(mark, state);
  const flusher = ownProcess();
  expect(flusher !== null && (await acquireOwnership(path.join(state, 'runs', id), flusher))).toBe(true);
  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  expect(list.stdout.toString()).toContain(id);
  const kill = leash(['orphans', '--kill', '--grace', '0', id], { env });
  expect((await kill.exited()).code).toBe(0);
  expect([...living(mark), ...living(`${mark}-child`)]).toEqual([]);
});

sampledTest('what a command left behind when it ended is no orphan', async () => {
  const state = stateDirectory();
  const mark = marker();
  const run = leashRun(shell(`sh -c '${gate().wait}' ${mark}-child >/dev/null 2>&1 & exit 4`, mark), {
    plane: { url: 'http://127.0.0.1:1' },
    env: { LEASH_STATE_DIR: state },
  });
  expect((await run.exited()).code).toBe(4);
  expect(leftIn(state)).toHaveLength(1);
  const none = leash(['orphans', '--kill'], { env: { LEASH_STATE_DIR: state } });
  expect((await none.exited()).code).toBe(0);
  expect(living(`${mark}-child`)).toHaveLength(1);
});

function factsOf(id: string, state: string): RunFacts {
  return JSON.parse(fs.readFileSync(path.join(state, 'runs', id, 'run.json'), 'utf8')) as RunFacts;
}

function tokenIn(state: string): string {
  const file = path.join(state, 'token');
  fs.writeFileSync(file, 'secret-token\n');
  return file;
}
