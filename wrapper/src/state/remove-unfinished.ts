/** Keeps a state directory from collecting what nobody will ever need. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { stateRoots } from './fallback-directory.ts';
import { makerOf, namesIn } from './files.ts';
import type { Processes } from './owner.ts';
import { runsIn } from './run-directory.ts';

/** Deletes what processes that died left half made or half removed. What can't be sent, see give-up.ts. Never fails. */
export async function tidyStateDirectory(stateDirectory: string, processes: Processes): Promise<void> {
  for (const root of await stateRoots(stateDirectory)) {
    for (const directory of [root, runsIn(root)]) await removeHalves(directory, processes);
  }
}

async function removeHalves(directory: string, processes: Processes): Promise<void> {
  for (const name of await namesIn(directory)) {
    const maker = makerOf(name);
    if (maker === null || processes.isRunning(maker)) continue;
    await fs.rm(path.join(directory, name), { recursive: true, force: true }).catch(() => {});
  }
}
