/** Outages on a machine whose disk is no help: the command runs, its code passes through, and what is lost is said. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { controlPlane, leash, leashRun, stateDirectory } from '../support/leash.ts';
import { killFlushers, recordsIn } from '../support/state.ts';

vi.setConfig({ testTimeout: 60_000 });

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

async function runsAllTheSame(place: string, state: string): Promise<void> {
  const env = { LEASH_STATE_DIR: place, LEASH_MARK: state };
  const run = leashRun(['sh', '-c', 'echo out; exit 6'], { ...OFFLINE, env });
  expect((await run.exited()).code).toBe(6);
  expect(run.stdout.toString()).toBe('out\n');
  const [first, last, ...more] = said(run.stderr);
  expect(first).toMatch(/^leash: what can't be sent can't be kept either, the command runs all the same: ./);
  expect(last).toMatch(
    /^leash: the control plane does not have the end and the last 4 bytes .* it could not be kept: /,
  );
  expect(more).toEqual([]);

  const store = await controlPlane();
  const told = leashRun(['sh', '-c', 'echo out; exit 6'], { plane: store, env });
  expect((await told.exited()).code).toBe(6);
  expect((await store.run()).isComplete).toBe(true);
  expect(said(told.stderr)).toEqual([first]);
}

test.each(Object.keys(PLACES))('no place for the state (%s)', async (what) => {
  const state = stateDirectory();
  await runsAllTheSame(PLACES[what]?.(state) ?? '', state);
});

test.skipIf(!canMount).each(Object.keys(ROOT_PLACES))('no place for the state (%s)', async (what) => {
  const state = stateDirectory();
  await runsAllTheSame(ROOT_PLACES[what]?.(state) ?? '', state);
});

test.skipIf(!canMount)(
  'a disk that fills up: what fits is sent later, the rest is told as a gap, and it is said',
  async () => {
    const state = stateDirectory();
    const disk = smallDisk(state, 'size=2m');
    const store = await controlPlane();
    await store.stop();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    // More than disk and memory hold together.
    const script = `head -c 30000000 /dev/zero; head -c 2000000 /dev/zero > ${disk}/others; head -c 1000 /dev/zero; exit 6`;
    const run = leashRun(['sh', '-c', script], { plane: store, options: ['--quiet'], env });
    expect((await run.exited()).code).toBe(6);
    const told = said(run.stderr).at(-1) ?? '';
    expect(told).toMatch(/could (not )?be kept: (ENOSPC|the disk is nearly full)/);
    // Where the others took the very last block there is no room for the end either, and all there is to do is to say so.
    if (told.includes('its end could not be kept')) return;
    await killFlushers(state);
    fs.rmSync(path.join(disk, 'others'));
    await store.listen();
    const flush = leash(['flush'], { plane: store, env });
    expect((await flush.exited()).code).toBe(0);
    const stored = await store.run();
    const gapBytes = stored.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    expect(stored.bytes('stdout').length + gapBytes).toBe(stored.end);
    expect(stored.bytes('stdout').length).toBeGreaterThan(0);
  },
);

test('a state directory that is deleted in the middle of a run', async () => {
  const state = stateDirectory();
  const place = path.join(state, 'place');
  const go = path.join(state, 'go');
  const script = `echo out; while [ ! -e ${go} ]; do sleep 0.05; done; exit 6`;
  const run = leashRun(['sh', '-c', script], { ...OFFLINE, env: { LEASH_STATE_DIR: place, LEASH_MARK: state } });
  await waitFor('a record of the run', () => recordsIn(place).length > 0);
  fs.rmSync(place, { recursive: true });
  fs.writeFileSync(go, '');
  expect((await run.exited()).code).toBe(6);
  expect(said(run.stderr).at(-1)).toMatch(/end could not be kept: ENOENT.*output could be kept: /);
});
