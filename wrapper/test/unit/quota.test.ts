import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { acquireFlusherLock } from '../../src/flush/flusher-lock.ts';
import type { Processes } from '../../src/state/owner.ts';
import {
  computeQuota,
  DEFAULT_OUTPUT_LIMIT_BYTES,
  DEFAULT_TOTAL_BYTES,
  initialQuota,
  spoolBytesFor,
} from '../../src/state/quota.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MIB = 1024 * 1024;

/** A state directory with runs that use the given bytes. */
function stateWith(runs: Record<string, number>): string {
  const state = temporaryDirectory();
  for (const [run, bytes] of Object.entries(runs)) {
    fs.mkdirSync(path.join(state, 'runs', run), { recursive: true });
    const file = path.join(state, 'runs', run, 'out-00000001-000000000000000');
    fs.writeFileSync(file, '');
    fs.truncateSync(file, bytes);
  }
  return state;
}

function quota(stateDirectory: string, totalBytes: number, wantedBytes = 8 * MIB): Promise<number> {
  return computeQuota({ stateDirectory, run: 'own', wantedBytes, totalBytes, signal: new AbortController().signal });
}

test('a run gets what it wants while there is enough', async () => {
  expect(await quota(stateWith({}), 100 * MIB)).toBe(8 * MIB);
  expect(await quota(stateWith({ other: 20 * MIB, own: 8 * MIB }), 100 * MIB)).toBe(8 * MIB);
  expect(await quota(path.join(temporaryDirectory(), 'missing'), 100 * MIB)).toBe(8 * MIB);
});

test('a run gets what others have left of the total, and a minimum in any case', async () => {
  expect(await quota(stateWith({ other: 60 * MIB, another: 35 * MIB }), 100 * MIB)).toBe(5 * MIB);
  expect(await quota(stateWith({ other: 60 * MIB, another: 35 * MIB, own: 8 * MIB }), 100 * MIB)).toBe(5 * MIB);
  expect(await quota(stateWith({ other: 200 * MIB }), 100 * MIB)).toBe(MIB);
});

test('a run never gets more than a quarter of the free space', async () => {
  const state = temporaryDirectory();
  const { bavail, bsize } = fs.statfsSync(state);
  const granted = await quota(state, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  // Others write to the same disk meanwhile.
  expect(granted / ((bavail * bsize) / 4)).toBeGreaterThan(0.5);
  expect(granted / ((bavail * bsize) / 4)).toBeLessThan(2);
});

test('the quota of a run holds as much output as the control plane keeps, and the total several such runs', () => {
  expect(spoolBytesFor(DEFAULT_OUTPUT_LIMIT_BYTES)).toBeGreaterThan(256 * MIB);
  expect(DEFAULT_TOTAL_BYTES / spoolBytesFor(DEFAULT_OUTPUT_LIMIT_BYTES)).toBeGreaterThan(7);
  expect(spoolBytesFor(0)).toBeGreaterThanOrEqual(MIB);
});

test('the initial quota depends on free space alone', async () => {
  const state = stateWith({ other: 200 * MIB });
  expect(await initialQuota(state, 8 * MIB)).toBe(8 * MIB);
  const { bavail, bsize } = fs.statfsSync(state);
  const granted = await initialQuota(state, Number.MAX_SAFE_INTEGER);
  expect(granted / ((bavail * bsize) / 4)).toBeGreaterThan(0.5);
  expect(granted / ((bavail * bsize) / 4)).toBeLessThan(2);
});

test('one process at a time holds the lock of a key', async () => {
  const state = temporaryDirectory();
  const living = new Set([1, 2]);
  const process = (pid: number): Processes => ({
    self: { pid, startTime: '5', bootId: 'b' },
    isRunning: (ref) => living.has(ref.pid),
  });
  const first = await acquireFlusherLock(state, 'key', process(1));
  expect(first).not.toBeNull();
  expect(await acquireFlusherLock(state, 'key', process(2))).toBeNull();
  expect(await acquireFlusherLock(state, 'another key', process(2))).not.toBeNull();
  await first?.release();
  expect(await acquireFlusherLock(state, 'key', process(2))).not.toBeNull();
  // It dies without giving it back.
  living.delete(2);
  // These live: of a holder that was dead, too, each of the others would rightly take it over.
  for (const pid of [3, 4, 5, 6]) living.add(pid);
  const many = await Promise.all([3, 4, 5, 6].map((pid) => acquireFlusherLock(state, 'key', process(pid))));
  expect(many.filter((each) => each !== null)).toHaveLength(1);
  expect(await acquireFlusherLock(path.join(state, 'missing'), 'key', process(1))).toBeNull();
});

test('of many processes that create the lock at the same time, one gets it', async () => {
  for (let round = 0; round < 10; round += 1) {
    const state = temporaryDirectory();
    const all = await Promise.all(
      [1, 2, 3, 4].map((pid) =>
        acquireFlusherLock(state, 'key', { self: { pid, startTime: '5', bootId: 'b' }, isRunning: () => true }),
      ),
    );
    expect(all.filter((each) => each !== null)).toHaveLength(1);
  }
});
