/** Commands that lost their wrapper: found, and ended. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { ownProcess, take } from '../../src/spool/owner.ts';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, marker, shell, stateDirectory } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { leftIn, recordsIn } from '../support/state.ts';

/** Starts a run whose wrapper is killed; resolves with its id. */
async function orphan(mark: string, state: string, options: readonly string[] = []): Promise<string> {
  const known = new Set(recordsIn(state));
  const { wait } = gate();
  const script = `setsid sh -c '${wait}' ${mark}-child & trap '' TERM; ${wait}`;
  const run = leashRun(shell(script, mark), { options, env: { LEASH_STATE_DIR: state } });
  await waitFor('the command and its child', () => living(`${mark}-child`).length > 0);
  const id = await waitFor('a record of it', () => recordsIn(state).find((name) => !known.has(name)));
  run.kill('SIGKILL');
  await run.exited();
  return id;
}

test('they are listed, and ended by id or all of them, with all that they started', async () => {
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const none = leash(['orphans'], { env });
  expect((await none.exited()).code).toBe(0);
  expect(none.stdout.toString()).toBe('there are no orphans\n');

  const marks = [marker(), marker(), marker()] as const;
  const first = await orphan(marks[0], state, ['--job', 'night']);
  const second = await orphan(marks[1], state);
  // A run whose wrapper lives is none, nor one that its command has outlived.
  const supervised = leashRun(shell(`echo up; ${gate().wait}`, marks[2]), { env });
  await waitFor('the supervised command', () => supervised.stdout.includes('up'));
  await waitFor('a record of it', () => recordsIn(state).length === 3);

  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  const [header = '', ...rows] = list.stdout.toString().trimEnd().split('\n');
  expect(header).toMatch(/^RUN +JOB +PID +STARTED +PROCESSES +COMMAND$/);
  expect(rows).toHaveLength(2);
  expect(rows[0]).toMatch(new RegExp(`^${first} +night +\\d+ +\\d{4}-\\S+Z +\\d +sh -c`));
  expect(rows[1]).toContain(second);

  const unknown = leash(['orphans', '--kill', '01ARZ3NDEKTSV4RRFFQ69G5FAV'], { env });
  expect((await unknown.exited()).code).toBe(1);
  expect(unknown.stderr).toContain('01ARZ3NDEKTSV4RRFFQ69G5FAV is not an orphan');
  expect(living(marks[0])).not.toEqual([]);

  const one = leash(['orphans', '--kill', '--grace', '300ms', first], { env });
  expect((await one.exited()).code).toBe(0);
  expect(one.stdout.toString()).toMatch(new RegExp(`^run ${first} of night: ended, \\d processes\n$`));
  expect(living(marks[0])).toEqual([]);
  expect(living(marks[1]).length).toBeGreaterThan(0);
  // Nothing of it is left to find or to send.
  expect(leftIn(state)).not.toContain(first);

  const all = leash(['orphans', '--kill', '--grace', '0'], { env });
  expect((await all.exited()).code).toBe(0);
  expect(living(marks[1])).toEqual([]);
  expect(living(marks[2])).not.toEqual([]);
  expect(leftIn(state)).toHaveLength(1);
  supervised.kill('SIGTERM');
  await supervised.exited();
  await waitFor('nothing left', () => leftIn(state).length === 0);
});

test('one whose loss has been told stays findable until it ends, and is then forgotten', async () => {
  const plane = await controlPlane();
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const id = await orphan(mark, state, ['--url', plane.url, '--token-file', tokenIn(state)]);
  const stored = await plane.run();
  await waitFor('that it is told as lost', () => stored.isLost);
  await waitFor('its record', () => fs.existsSync(path.join(state, 'runs', id, 'uploaded')));
  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  expect(list.stdout.toString()).toContain(id);
  for (const pid of living(mark)) process.kill(pid, 'SIGKILL');
  await waitFor('the end of it', () => living(mark).length === 0);
  const none = leash(['orphans'], { env });
  expect((await none.exited()).code).toBe(0);
  expect(none.stdout.toString()).toBe('there are no orphans\n');
  expect(leftIn(state)).toEqual([]);
  expect(stored.starts.filter(({ phase }) => phase === 'abandoned')).toHaveLength(1);
});

test('one is found and ended while a flusher has its record', async () => {
  const state = stateDirectory();
  const env = { LEASH_STATE_DIR: state };
  const mark = marker();
  const id = await orphan(mark, state);
  const flusher = ownProcess();
  expect(flusher !== null && (await take(path.join(state, 'runs', id), flusher))).toBe(true);
  const list = leash(['orphans'], { env });
  expect((await list.exited()).code).toBe(1);
  expect(list.stdout.toString()).toContain(id);
  const kill = leash(['orphans', '--kill', '--grace', '0', id], { env });
  expect((await kill.exited()).code).toBe(0);
  expect([...living(mark), ...living(`${mark}-child`)]).toEqual([]);
});

test('what a command left behind when it ended is no orphan', async () => {
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

function tokenIn(state: string): string {
  const file = path.join(state, 'token');
  fs.writeFileSync(file, 'secret-token\n');
  return file;
}
