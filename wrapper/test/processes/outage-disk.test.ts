/** Outages with an unusable disk: the command runs, its exit code passes through, and losses are reported. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newKillId } from '#testing/fake-control-plane';
import { IS_PROOF, sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { createRunDirectory } from '../../src/state/run-directory.ts';
import { openState } from '../../src/state/state-directory.ts';
import { gate } from '../support/gate.ts';
import { controlPlane, leash, leashRun, marker, shell, stateDirectory } from '../support/leash.ts';
import { living } from '../support/processes.ts';
import { someFacts } from '../support/run-facts.ts';
import {
  adopters,
  flushers,
  guardians,
  inMemory,
  killFlushers,
  killWithGuardian,
  leftIn,
  recordsIn,
  usersOf,
} from '../support/state.ts';

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

/** Bytes of the files that a run's output is in. */
function outputIn(record: string): number {
  const files = fs.readdirSync(record).filter((name) => name.startsWith('out-'));
  return files.reduce((sum, name) => sum + fs.statSync(path.join(record, name)).size, 0);
}

/** By another mount on top: a file system with open files can't become read-only. @returns the function that undoes it */
function makeReadOnly(disk: string): () => void {
  const aside = `${disk}.read-only`;
  fs.mkdirSync(aside);
  mount(['--bind', disk, aside]);
  mount(['-o', 'remount,bind,ro', aside]);
  mount(['--move', aside, disk]);
  let isMended = false;
  const mend = () => {
    if (!isMended) spawnSync('umount', ['-l', disk]);
    isMended = true;
  };
  onTestFinished(mend);
  return mend;
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

/** @returns why a run can't use the directory, in the words of `leash run` */
async function whyUnusable(directory: string): Promise<string | null> {
  const state = await openState({ LEASH_STATE_DIR: directory });
  if (state.kind === 'unusable') return state.why;
  const created = await createRunDirectory(state.directory, someFacts(), state.processes);
  return created.kind === 'failed' ? created.why : null;
}

test.each(Object.keys(PLACES))('no usable state directory (%s)', async (what) => {
  expect(await whyUnusable(PLACES[what]?.(stateDirectory()) ?? '')).not.toBeNull();
});

test.skipIf(!canMount).each(Object.keys(ROOT_PLACES))('no usable state directory (%s)', async (what) => {
  expect(await whyUnusable(ROOT_PLACES[what]?.(stateDirectory()) ?? '')).not.toBeNull();
});

test('without a state directory a run continues, and reports what is lost', async () => {
  const state = stateDirectory();
  fs.writeFileSync(path.join(state, 'file'), '');
  const env = { LEASH_STATE_DIR: path.join(state, 'file'), LEASH_MARK: state };
  const run = leashRun(['sh', '-c', 'echo out; exit 6'], { ...OFFLINE, env });
  expect((await run.exited()).code).toBe(6);
  expect(run.stdout.toString()).toBe('out\n');
  const [first, last, ...more] = said(run.stderr);
  expect(first).toMatch(
    /^leash: output cannot be spooled to disk; unsent output may be lost \(the command keeps running\): ./,
  );
  expect(last).toMatch(
    /^leash: the control plane does not have the end and the last 4 bytes .* its end could not be kept on disk: .*; kept in \/dev\/shm\/leash-state-\S+, which a reboot empties, to be sent in the background$/,
  );
  expect(more).toEqual([]);
  expect(recordsIn((await inMemory(env.LEASH_STATE_DIR)) ?? '')).toHaveLength(1);

  const plane = await controlPlane();
  const told = leashRun(['sh', '-c', 'echo out; exit 6'], { plane, env });
  expect((await told.exited()).code).toBe(6);
  expect((await plane.run()).isComplete).toBe(true);
  expect(said(told.stderr)).toEqual([first]);
});

test.skipIf(!canMount)(
  'a disk that fills up: what fits is sent later, the rest is reported as a gap, and a warning says so',
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
    expect(told).toMatch(
      /could (not )?be kept: (ENOSPC|the disk is nearly full)|are lost: there was no space to keep them/,
    );
    // The others took the very last block, but there is room for the end.
    expect(told).not.toContain('its end could not be kept');
    await killFlushers(state);
    await plane.listen();
    const flush = leash(['flush'], { plane, env });
    expect((await flush.exited()).code).toBe(0);
    const stored = await plane.run();
    const gapBytes = stored.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
    const bytes = stored.bytes('stdout').length + stored.bytes('stderr').length;
    expect(bytes + gapBytes).toBe(stored.end);
    expect(stored.bytes('stdout').length).toBeGreaterThan(0);
    expect(stored.completions).toMatchObject([{ exit_code: 6, reason: 'exited' }]);
  },
);

test('a state directory that is deleted during a run', async () => {
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
  expect(said(run.stderr).at(-1)).toMatch(/end could not be kept on disk: ENOENT.*; kept in \/dev\/shm\//);
  expect(recordsIn((await inMemory(place)) ?? '')).toHaveLength(1);
});

/** Disks that take nothing from the start. */
const USELESS: Readonly<Record<string, (state: string) => string>> = {
  'is read-only': (state) => {
    const disk = smallDisk(state, 'size=1m');
    mount(['-o', 'remount,ro', disk]);
    return disk;
  },
  'is full': (state) => {
    const disk = smallDisk(state, 'size=64k');
    fs.writeFileSync(path.join(disk, 'others'), Buffer.alloc(64 * 1024));
    return disk;
  },
};

test.skipIf(!canMount).each(sampleOf(Object.keys(USELESS)))(
  'an end in an outage on a disk that %s from the start is kept in memory, sent, and removed',
  async (what) => {
    const state = stateDirectory();
    const disk = USELESS[what]?.(state) ?? '';
    const plane = await controlPlane();
    await plane.stop();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    const run = leashRun(['sh', '-c', 'echo out; echo err >&2; exit 6'], { plane, env });
    expect((await run.exited()).code).toBe(6);
    expect(said(run.stderr).at(-1)).toMatch(
      /kept in \/dev\/shm\/.*, which a reboot empties, to be sent in the background$/,
    );
    const memory = (await inMemory(disk)) ?? '';
    expect(recordsIn(memory)).toHaveLength(1);
    await killFlushers(state);
    await plane.listen();
    // The next run starts a flusher, unless it ends before it has looked for unsent runs.
    const { wait, open } = gate();
    const next = leashRun(['sh', '-c', wait], { plane, env });
    await waitFor('all of it to be sent', () => leftIn(memory).length === 0);
    open();
    expect((await next.exited()).code).toBe(0);
    const stored = [...plane.runs.values()].find(({ completions }) =>
      completions.some(({ exit_code }) => exit_code === 6),
    );
    expect(stored?.bytes('stdout').toString()).toBe('out\n');
    expect(stored?.bytes('stderr').toString()).toBe('err\n');
    expect(stored?.gaps).toEqual([]);
  },
);

test.skipIf(!canMount)('an end is sent with the output on a disk that became read-only', async () => {
  const state = stateDirectory();
  const disk = smallDisk(state, 'size=100m');
  const plane = await controlPlane();
  await plane.stop();
  const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
  const go = gate();
  const run = leashRun(['sh', '-c', `head -c 10000000 /dev/zero; ${go.wait}; echo last; exit 6`], {
    plane,
    env,
    options: ['--quiet'],
  });
  const [id = ''] = await waitFor('a record of the run', () => (recordsIn(disk).length > 0 ? recordsIn(disk) : null));
  const record = path.join(disk, 'runs', id);
  // More than its journal ever holds.
  await waitFor('output on disk', () => outputIn(record) > 6_000_000);
  const mend = makeReadOnly(disk);
  go.open();
  expect((await run.exited()).code).toBe(6);
  await killFlushers(state);
  await plane.listen();
  expect((await leash(['flush'], { plane, env }).exited()).code).toBe(0);
  const stored = await plane.run();
  expect(stored.bytes('stdout').length).toBe(10_000_005);
  expect(stored.gaps).toEqual([]);
  expect(stored.completions).toMatchObject([{ exit_code: 6 }]);
  // As long as the record on disk can't be removed, it is marked as uploaded.
  const memory = (await inMemory(disk)) ?? '';
  expect(recordsIn(memory)).toEqual([id]);
  mend();
  expect((await leash(['flush'], { plane, env }).exited()).code).toBe(0);
  expect([...leftIn(disk), ...leftIn(memory)]).toEqual([]);
  expect(stored.starts.filter(({ phase }) => phase === 'abandoned')).toEqual([]);
});

test.skipIf(!canMount)(
  'processes that a run leaves running can be killed where only memory has a record of it',
  async () => {
    const state = stateDirectory();
    const disk = USELESS['is read-only']?.(state) ?? '';
    const plane = await controlPlane();
    const mark = marker();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    const command = shell(`sh -c '${gate().wait}' ${mark}-child >/dev/null 2>&1 & exit 4`, mark);
    expect((await leashRun(command, { plane, env }).exited()).code).toBe(4);
    const memory = (await inMemory(disk)) ?? '';
    const stored = await plane.run();
    await waitFor('what is left', () => stored.of('left_running').length > 0);
    plane.kill(newKillId());
    await waitFor('that nothing is left', () => stored.of('left_running').at(-1)?.processes.length === 0);
    expect(living(`${mark}-child`)).toEqual([]);
    expect(stored.completions[0]?.exit_code).toBe(4);
    await waitFor('nobody', () => usersOf(state).length === 0);
    expect(leftIn(memory)).toEqual([]);
  },
);

test.runIf(canMount && IS_PROOF).each(Object.keys(USELESS))(
  'on a disk that %s one successor is enough for an end that no disk takes',
  async (what) => {
    const state = stateDirectory();
    const disk = USELESS[what]?.(state) ?? '';
    const plane = await controlPlane();
    await plane.stop();
    const go = gate();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    const run = leashRun(shell(`echo out; ${go.wait}; exit 6`, marker()), { plane, env });
    await waitFor('the output', () => run.stdout.toString() === 'out\n');
    await waitFor('its guardian', () => guardians(state).length > 0);
    run.kill('SIGKILL');
    const seen = new Set<number>();
    const look = () => {
      for (const pid of adopters(state)) seen.add(pid);
      return seen.size;
    };
    await waitFor('a successor', () => look() > 0);
    go.open();
    await waitFor('nobody but who sends it', () => {
      look();
      return usersOf(state).length === flushers(state).length;
    });
    await killFlushers(state);
    const memory = (await inMemory(disk)) ?? '';
    expect(recordsIn(memory)).toHaveLength(1);
    await plane.listen();
    expect((await leash(['flush'], { plane, env }).exited()).code).toBe(0);
    const stored = await plane.run();
    expect(stored.text('stdout')).toBe('out\n');
    expect(stored.completions).toMatchObject([{ reason: 'exit_unknown' }]);
    expect(leftIn(memory)).toEqual([]);
    expect(seen.size).toBe(1);
  },
);

test.skipIf(!canMount)(
  'on a disk that became read-only a run is taken over by one successor, not by each',
  async () => {
    const state = stateDirectory();
    const disk = smallDisk(state, 'size=1m');
    const plane = await controlPlane();
    const env = { LEASH_STATE_DIR: disk, LEASH_MARK: state };
    const go = gate();
    const run = leashRun(shell(`echo one; ${go.wait}; echo two`, marker()), { plane, env });
    const stored = await plane.run();
    await waitFor('a record of the run', () => recordsIn(disk).length > 0);
    await waitFor('the output', () => stored.text('stdout') === 'one\n');
    makeReadOnly(disk);
    await killWithGuardian(run.process, state);
    for (const what of ['first', 'second', 'third']) {
      await leash(['flush'], { plane, env }).exited();
      await waitFor(`a successor after the ${what}`, () => adopters(state).length > 0);
    }
    await waitFor('it at the control plane', () => stored.starts.length > 1);
    expect(guardians(state)).toHaveLength(1);
    expect(adopters(state)).toHaveLength(1);
    go.open();
    await waitFor('its end', () => stored.isComplete);
    expect(stored.text('stdout')).toBe('one\ntwo\n');
  },
);
