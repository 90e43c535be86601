/** Keeps a state directory from collecting what nobody will ever need. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { deleteAside, makerOf, namesIn } from './files.ts';
import { isOwnerName, type Processes, take } from './owner.ts';
import { runsIn } from './run-directory.ts';
import { type ListedRun, listRunDirectories } from './run-listing.ts';

/** A run that nobody could deliver for so long is given up. */
const KEPT_FOR_MS = 30 * 24 * 60 * 60 * 1000;

/** Deletes what processes that died left half made or half removed, and runs that are too old. Never fails. */
export async function tidyStateDirectory(stateDirectory: string, processes: Processes, nowMs: number): Promise<void> {
  for (const directory of [stateDirectory, runsIn(stateDirectory)]) await removeHalves(directory, processes);
  for (const listed of await listRunDirectories(stateDirectory, processes)) await removeIfOld(listed, processes, nowMs);
}

async function removeHalves(directory: string, processes: Processes): Promise<void> {
  for (const name of await namesIn(directory)) {
    const maker = makerOf(name);
    if (maker === null || processes.isRunning(maker)) continue;
    await fs.rm(path.join(directory, name), { recursive: true, force: true }).catch(() => {});
  }
}

async function removeIfOld(
  { path: directory, facts, free }: ListedRun,
  processes: Processes,
  nowMs: number,
): Promise<void> {
  if (!free || facts.kind === 'newer') return;
  if (nowMs - (await lastChangeMs(directory)) < KEPT_FOR_MS) return;
  const leader = facts.kind === 'read' ? facts.value.family?.leader : undefined;
  if (leader !== undefined && processes.isRunning(leader)) return;
  if (await take(directory, processes)) await deleteAside(directory, processes.self).catch(() => {});
}

/** When anything in it was written last. Changing hands counts for nothing. */
async function lastChangeMs(directory: string): Promise<number> {
  let last = 0;
  for (const name of await namesIn(directory)) {
    if (isOwnerName(name)) continue;
    // A file that is gone by now has not been changed.
    last = Math.max(
      last,
      await fs.stat(path.join(directory, name)).then(
        (stat) => stat.mtimeMs,
        () => 0,
      ),
    );
  }
  return last;
}
