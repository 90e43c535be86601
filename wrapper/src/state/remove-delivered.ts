/** Removing what is left of a run of which all is told, wherever that is. */
import path from 'node:path';
import { stateRoots } from './fallback-directory.ts';
import { namesIn } from './files.ts';
import type { Processes } from './owner.ts';
import { claim, type Outcome, type RunDirectory, runsIn } from './run-directory.ts';

/**
 * What is in memory goes after what the disk has of the same run. Where that can't be removed it stays, and says that all
 * is told: the disk's record alone looks like that of a run whose wrapper has died.
 */
export async function removeTold(directory: RunDirectory, stateDirectory: string, processes: Processes): Outcome {
  for (const root of await stateRoots(stateDirectory)) {
    const twin = path.join(runsIn(root), path.basename(directory.path));
    if (twin === directory.path || (await namesIn(twin)).length === 0) continue;
    const why = (await (await claim(twin, processes))?.remove()) ?? `${twin} can't be removed`;
    if ((await namesIn(twin)).length === 0) continue;
    await directory.markUploaded();
    await directory.release();
    return why;
  }
  return directory.remove();
}
