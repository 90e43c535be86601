import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeDelivered } from '../../src/state/cleanup.ts';
import { createFallbackDirectory, fallbackDirectories, stateRoots } from '../../src/state/fallback-directory.ts';
import type { Processes } from '../../src/state/owner.ts';
import { claim, createRunDirectory } from '../../src/state/run-directory.ts';
import { listRuns } from '../../src/state/run-listing.ts';
import { someFacts } from '../support/run-facts.ts';

const wrapper: Processes = { self: { pid: 7, startTime: '1', bootId: 'b' }, isRunning: ({ pid }) => pid === 7 };
const flusher: Processes = { self: { pid: 8, startTime: '1', bootId: 'b' }, isRunning: ({ pid }) => pid === 8 };

function stateDirectory(): string {
  return removedLater(fs.mkdtempSync(path.join(os.tmpdir(), 'leash-fallback-')));
}

async function fallbackOf(state: string): Promise<string> {
  return removedLater((await createFallbackDirectory(state)) ?? '');
}

function removedLater(directory: string): string {
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const hasMemory = fs.existsSync('/dev/shm');

test.skipIf(!hasMemory)("a directory that others could change isn't used as a fallback", async () => {
  const state = stateDirectory();
  const fallback = await fallbackOf(state);
  expect(await createFallbackDirectory(state)).toBe(fallback);
  expect(await stateRoots(state)).toEqual([fallback, state]);
  expect(await stateRoots(fallback)).toEqual([fallback]);
  expect(await fallbackDirectories(`${state}-other`)).toEqual([]);

  fs.chmodSync(fallback, 0o777);
  expect(await stateRoots(state)).toEqual([state]);
  expect(removedLater((await createFallbackDirectory(state)) ?? '')).not.toBe(fallback);
});

test.skipIf(!hasMemory)('the copy on disk of a run in memory does not count, and is removed with it', async () => {
  const state = stateDirectory();
  const fallback = await fallbackOf(state);
  const facts = someFacts();
  const onDisk = await createRunDirectory(state, facts, wrapper);
  const inMemory = await createRunDirectory(fallback, facts, wrapper);
  if (onDisk.kind === 'failed' || inMemory.kind === 'failed') throw new Error('no directory');
  const copyInMemory = inMemory.directory.path;
  expect((await listRuns(state, flusher)).map((each) => each.path)).toEqual([copyInMemory]);

  // The copy on disk still has an owner, as on a disk that can't be written.
  const holder: Processes = { ...flusher, isRunning: () => true };
  await inMemory.directory.release();
  const first = await claim(copyInMemory, holder);
  expect(await removeDelivered(first ?? inMemory.directory, state, holder)).toContain("can't be removed");
  expect(await listRuns(state, flusher)).toMatchObject([{ path: copyInMemory, uploaded: true, free: true }]);

  const second = await claim(copyInMemory, flusher);
  expect(await removeDelivered(second ?? inMemory.directory, state, flusher)).toBeNull();
  expect(await listRuns(state, flusher)).toEqual([]);
  expect(fs.readdirSync(path.join(state, 'runs'))).toEqual([]);
});
