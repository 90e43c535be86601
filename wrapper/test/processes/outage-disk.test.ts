/** Outages on a machine whose disk is no help: the command runs, its code passes through, and what is lost is said. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { IS_PROOF } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { openState } from '../../src/run/state.ts';
import { createRunDirectory } from '../../src/spool/run-directory.ts';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, stateDirectory } from '../support/leash.ts';
import { someFacts } from '../support/run-facts.ts';
import { killFlushers, recordsIn } from '../support/state.ts';

const OFFLINE = { plane: { url: 'http://127.0.0.1:1' } };
const canMount = process.getuid?.() === 0 && mount(['--version']);

function mount(args: readonly string[]): boolean {
  return spawnSync('mount', args).status === 0;
}

/** A file system of its own for a test, `null` where none can be mounted. */
function smallDisk(state: string, options: string): string {
  const disk = path.join(state, 'disk');
  fs.mkdirSync(disk, { mode: 0o700 });
  if (!mount(['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', disk])) throw new Error('cannot mount a tmpfs');
  onTestFinished(async () => {
    await killFlushers(state);
    spawnSync('umount', ['-l', disk]);
  });
  return disk;
}

/** Our own lines. */
function said(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('leash: '));
}

const PLACES: Readonly<Record<string, (state: string) => string>> = {
  'a file in its place': (state) => {
    fs.writeFileSync(path.join(state, 'file'), '');
    return path.join(state, 'file');
  },
  'a relative path': () => 'state',
  'a directory that anybody may write to': (state) => {
    fs.mkdirSync(path.join(state, 'open'));
    fs.chmodSync(path.join(state, 'open'), 0o777);
    return path.join(state, 'open');
  },
};

const ROOT_PLACES: Readonly<Record<string, (state: string) => string>> = {
  'a directory of another user': (state) => {
    fs.mkdirSync(path.join(state, 'other'));
    fs.chownSync(path.join(state, 'other'), 12345, 12345);
    return path.join(state, 'other');
  },
  'a read-only disk': (state) => {
    const disk = smallDisk(state, 'size=1m');
    mount(['-o', 'remount,ro', disk]);
    return disk;
  },
  'a disk without an inode left': (state) => {
    const disk = smallDisk(state, 'size=1m,nr_inodes=2');
    fs.writeFileSync(path.join(disk, 'last'), '');
    return disk;
  },
};

/** @returns why a run finds no place there, as `leash run` says it */
async function whyUnusable(place: string): Promise<string | null> {
  const state = await openState({ LEASH_STATE_DIR: place });
  if (state.kind === 'unusable') return state.why;
  const created = await createRunDirectory(state.directory, someFacts(), state.processes);
  return created.kind === 'failed' ? created.why : null;
}

test.each(Object.keys(PLACES))('no place for the state (%s)', async (what) => {
  expect(await whyUnusable(PLACES[what]?.(stateDirectory()) ?? '')).not.toBeNull();
});

test.skipIf(!canMount).each(Object.keys(ROOT_PLACES))('no place for the state (%s)', async (what) => {
  expect(await whyUnusable(ROOT_PLACES[what]?.(stateDirectory()) ?? '')).not.toBeNull();
});

test('without a place for the state a run goes on all the same, and says what is lost', async () => {
  const state = stateDirectory();
  fs.writeFileSync(path.join(state, 'file'), '');
  const env = { LEASH_STATE_DIR: path.join(state, 'file'), LEASH_MARK: state };
  const run = leashRun(['sh', '-c', 'echo out; exit 6'], { ...OFFLINE, env });
  expect((await run.exited()).code).toBe(6);
  expect(run.stdout.toString()).toBe('out\n');
  const [first, last, ...more] = said(run.stderr);
  expect(first).toMatch(/^leash: what can't be sent can't be kept either, the command runs all the same: ./);
  expect(last).toMatch(
    /^leash: the control plane does not have the end and the last 4 bytes .* it could not be kept: /,
  );
  expect(more).toEqual([]);

  const plane = await controlPlane();
  const told = leashRun(['sh', '-c', 'echo out; exit 6'], { plane, env });
  expect((await told.exited()).code).toBe(6);
  expect((await plane.run()).isComplete).toBe(true);
  expect(said(told.stderr)).toEqual([first]);
});

test.skipIf(!canMount)(
  'a disk that fills up: what fits is sent later, the rest is told as a gap, and it is said',
  async () => {
    const state = stateDirectory();
    const disk = smallDisk(state, 'size=2m');
    const plane = await controlPlane();
    await plane.stop();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    // More than disk and memory hold together.
    const script = `head -c ${IS_PROOF ? 30_000_000 : 10_000_000} /dev/zero; head -c 9000000 /dev/zero > ${disk}/others; head -c 1000 /dev/zero; exit 6`;
    const run = leashRun(['sh', '-c', script], { plane, options: ['--quiet'], env });
    expect((await run.exited()).code).toBe(6);
    const told = said(run.stderr).at(-1) ?? '';
    expect(told).toMatch(/could (not )?be kept: (ENOSPC|the disk is nearly full)/);
    // The others took the very last block, but there is room for the end.
    expect(told).not.toContain('its end could not be kept');
    await killFlushers(state);
    await plane.listen();
    const flush = leash(['flush'], { plane, env });
    expect((await flush.exited()).code).toBe(0);
    const stored = await plane.run();
    const gapBytes = stored.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    expect(stored.bytes('stdout').length + gapBytes).toBe(stored.end);
    expect(stored.bytes('stdout').length).toBeGreaterThan(0);
    expect(stored.completions).toMatchObject([{ exit_code: 6, reason: 'exited' }]);
  },
);

test('a state directory that is deleted in the middle of a run', async () => {
  const state = stateDirectory();
  const place = path.join(state, 'place');
  const go = gate();
  const run = leashRun(['sh', '-c', `echo out; ${go.wait}; exit 6`], {
    ...OFFLINE,
    env: { LEASH_STATE_DIR: place, LEASH_MARK: state },
  });
  await waitFor('a record of the run', () => recordsIn(place).length > 0);
  fs.rmSync(place, { recursive: true });
  go.open();
  expect((await run.exited()).code).toBe(6);
  expect(said(run.stderr).at(-1)).toMatch(/end could not be kept: ENOENT.*output could be kept: /);
});
