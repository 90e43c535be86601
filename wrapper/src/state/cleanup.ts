/** Removes from a state directory what nobody needs any more. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { stateRoots } from './fallback-directory.ts';
import { listNames, parseTransientName } from './files.ts';
import type { Processes } from './owner.ts';
import { claim, type Outcome, type RunDirectory, runsIn } from './run-directory.ts';

/**
 * Removes a run of which everything has been delivered, from disk and from memory.
 *
 * The copy in memory is removed last. Where the one on disk can't be removed, it stays, marked as uploaded: the disk's
 * record alone looks like that of a run whose wrapper has died.
 */
export async function removeDelivered(directory: RunDirectory, stateDirectory: string, processes: Processes): Outcome {
  for (const root of await stateRoots(stateDirectory)) {
    const twin = path.join(runsIn(root), path.basename(directory.path));
    if (twin === directory.path || (await listNames(twin)).length === 0) continue;
    const why = (await (await claim(twin, processes))?.remove()) ?? `${twin} can't be removed`;
    if ((await listNames(twin)).length === 0) continue;
    await directory.markUploaded();
    await directory.release();
    return why;
  }
  return directory.remove();
}

/** Deletes directories that processes which have died were making or removing. Never fails. */
export async function removeUnfinished(stateDirectory: string, processes: Processes): Promise<void> {
  for (const root of await stateRoots(stateDirectory)) {
    for (const directory of [root, runsIn(root)]) {
      for (const name of await listNames(directory)) {
        const maker = parseTransientName(name);
        if (maker === null || processes.isRunning(maker)) continue;
        await fs.rm(path.join(directory, name), { recursive: true, force: true }).catch(() => {});
      }
    }
  }
}
