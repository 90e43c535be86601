/** How much of the disk a run's output may use, so that all runs together stay within a limit. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { MIB } from '#protocol/limits';
import { listNames } from './files.ts';
import { runsIn } from './run-directory.ts';

/** All runs of a state directory may use this together: eight times what one may by default. */
export const DEFAULT_TOTAL_BYTES = 2048 * MIB;
/** How much output of a run a control plane keeps by default (`RUN_OUTPUT_MAX_BYTES`). */
export const DEFAULT_OUTPUT_LIMIT_BYTES = 256 * MIB;
/** A run gets this much, however much other runs use. */
const MIN_BYTES = MIB;

/** File bytes needed for `outputBytes`: records have headers, and whole files are deleted. */
export function spoolBytesFor(outputBytes: number): number {
  return Math.max(MIN_BYTES, Math.ceil(outputBytes + outputBytes / 32 + 2 * MIB));
}

export interface QuotaRequest {
  readonly stateDirectory: string;
  readonly run: string;
  /** What the run may use at most. */
  readonly wantedBytes: number;
  readonly totalBytes: number;
  /** Aborted when the answer isn't needed any more: a pending disk operation keeps a process from exiting. */
  readonly signal: AbortSignal;
}

/** File bytes that a run may use in all. Call it again as the spool grows. Never fails. */
export async function computeQuota(question: QuotaRequest): Promise<number> {
  const { stateDirectory, run, wantedBytes, totalBytes, signal } = question;
  // Sequentially: on a disk that hangs, each would block one of the four threads of the pool.
  const ownBytes = await usedBytes(path.join(runsIn(stateDirectory), run));
  const allBytes = await allRunsBytes(stateDirectory, signal);
  const leftByOthers = Math.max(MIN_BYTES, totalBytes - (allBytes - ownBytes));
  return Math.floor(Math.min(wantedBytes, leftByOthers, ((await freeBytes(stateDirectory)) + ownBytes) / 4));
}

/** The quota of a run that has nothing on disk yet, from free space alone: fast, however many runs there are. */
export async function initialQuota(stateDirectory: string, wantedBytes: number): Promise<number> {
  return Math.floor(Math.min(wantedBytes, (await freeBytes(stateDirectory)) / 4));
}

async function allRunsBytes(stateDirectory: string, signal: AbortSignal): Promise<number> {
  let sum = 0;
  for (const name of await listNames(runsIn(stateDirectory))) {
    if (signal.aborted) break;
    sum += await usedBytes(path.join(runsIn(stateDirectory), name));
  }
  return sum;
}

async function usedBytes(directory: string): Promise<number> {
  let sum = 0;
  for (const name of await listNames(directory)) {
    // A file that is gone by now uses no space.
    sum += await fs.lstat(path.join(directory, name)).then(
      (stat) => stat.size,
      () => 0,
    );
  }
  return sum;
}

async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await fs.statfs(directory);
    return bavail * bsize;
  } catch {
    // ENOSYS and the like: not every file system reports it. The other limits still apply.
    return Number.POSITIVE_INFINITY;
  }
}
