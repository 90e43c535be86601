/** How much of the disk a run's output may use: what is left of all runs together stays within a bound. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { MIB } from '#protocol/limits';
import { listNames } from './files.ts';
import { runsIn } from './run-directory.ts';

/** What all runs of a state directory may use together: eight times what one may by default. */
export const DEFAULT_TOTAL_BYTES = 2048 * MIB;
/** What a control plane keeps of a run (`RUN_OUTPUT_MAX_BYTES`) unless it says otherwise. */
export const DEFAULT_OUTPUT_LIMIT_BYTES = 256 * MIB;
/** However much others have left behind, a run gets this much. */
const MIN_BYTES = MIB;

/** File bytes that hold so much output: records have headers, and whole files are deleted. */
export function spoolBytesFor(outputBytes: number): number {
  return Math.max(MIN_BYTES, Math.ceil(outputBytes + outputBytes / 32 + 2 * MIB));
}

export interface QuotaRequest {
  readonly stateDirectory: string;
  readonly run: string;
  /** What the run may use at most. */
  readonly wantedBytes: number;
  readonly totalBytes: number;
  /** Aborted when nobody waits for the answer any more: what is under way on a disk keeps a program from leaving. */
  readonly signal: AbortSignal;
}

/** File bytes that a run may use, those that it uses already included. Ask again as it grows. Never fails. */
export async function computeQuota(question: QuotaRequest): Promise<number> {
  const { stateDirectory, run, wantedBytes, totalBytes, signal } = question;
  // One after the other: on a disk that hangs each would hold a thread of the pool, of which there are four.
  const ownBytes = await usedBytes(path.join(runsIn(stateDirectory), run));
  const allBytes = await allRunsBytes(stateDirectory, signal);
  const leftByOthers = Math.max(MIN_BYTES, totalBytes - (allBytes - ownBytes));
  return Math.floor(Math.min(wantedBytes, leftByOthers, ((await freeBytes(stateDirectory)) + ownBytes) / 4));
}

/** What a run that has nothing on disk yet may use by what is free alone: known at once, whatever others have left. */
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
    // A file that is gone by now takes up nothing.
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
    // ENOSYS and the like: not every file system tells. Then the other bounds have to do.
    return Number.POSITIVE_INFINITY;
  }
}
