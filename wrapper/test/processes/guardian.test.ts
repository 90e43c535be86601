/** Whom the guardian's shell kills by itself when the program that was to do it has failed. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { startGuardianOfOrphan } from '../../src/guardian/guardian.ts';
import { isAnybodyAt, refOf } from '../../src/processes/process-ref.ts';
import { gate } from '../support/gate.ts';
import { marker, ofThisTest, stateDirectory } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { usersOf } from '../support/state.ts';

const RUN = '01J00000000000000000000009';
const COOKIE = `LEASH_RUN_${RUN}`;

interface Group {
  readonly pgid: number;
  readonly startTime: string;
}

/** A process group with a leader and a child. */
async function group(mark: string, environment: NodeJS.ProcessEnv): Promise<Group & { leaderLeaves(): Promise<void> }> {
  const leaves = gate();
  const script = `sh -c '${gate().wait}' ${mark}-child & ${leaves.wait}`;
  const leader = spawn('sh', ['-c', script, mark], {
    env: { PATH: process.env.PATH, ...environment },
    detached: true,
    stdio: 'ignore',
  });
  const gone = new Promise((resolve) => leader.once('exit', resolve));
  await waitFor('leader and child', () => living(`${mark}-child`).length > 0);
  const pgid = leader.pid ?? 0;
  const leaderLeaves = async () => {
    leaves.open();
    await gone;
  };
  return { pgid, startTime: refOf(pgid)?.startTime ?? '', leaderLeaves };
}

/** A guardian whose wrapper is dead, and whose way to end the command fails; resolves when it has done all it will. */
async function guardianOf({ pgid, startTime }: Group): Promise<void> {
  const state = stateDirectory();
  const has = path.join(state, 'has');
  const plan = {
    kind: 'kill' as const,
    run: RUN,
    group: { pgid, startTime },
    killArguments: ['sh', '-c', `echo failed >${has}; exit 1`],
    adoptArguments: ['true'],
    facts: null,
    secrets: {},
  };
  startGuardianOfOrphan(plan, { stdout: null, stderr: null }, { ...process.env, ...ofThisTest(), OF_THIS: state });
  await waitFor('that it has failed', () => fs.existsSync(has));
  await waitFor('the end of the guardian', () => usersOf(`OF_THIS=${state}`).length === 0);
}

test('it kills the group of the command', async () => {
  const mark = marker();
  await guardianOf(await group(mark, {}));
  await waitFor('nothing of it', () => living(mark).length === 0);
});

test('it kills what is left of the group when the command itself is gone', async () => {
  const mark = marker();
  const left = await group(mark, { [COOKIE]: '1' });
  await left.leaderLeaves();
  await guardianOf(left);
  await waitFor('nothing of it', () => living(mark).length === 0);
});

test('it kills no group that has got the number since', async () => {
  const mark = marker();
  const another = await group(mark, {});
  await guardianOf({ ...another, startTime: '1' });
  expect(isAnybodyAt(-another.pgid)).toBe(true);
  expect(living(mark)).toHaveLength(2);
});

test('nor one whose leader is gone as well', async () => {
  const mark = marker();
  const another = await group(mark, { LEASH_RUN_01J00000000000000000000001: '1' });
  await another.leaderLeaves();
  await guardianOf(another);
  expect(living(mark)).toHaveLength(1);
});
