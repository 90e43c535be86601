/** `leash adopt`: what a guardian starts when the wrapper of its run has died. Nobody types it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { withTimeout } from '#shared/with-timeout';
import { type AdoptableRun, adopt } from '../../adopt/adopt.ts';
import { type Environment, readConfigFile, withConfig } from '../../config/config-file.ts';
import { EXIT_STILL_PRINTING, extractHandover } from '../../guardian/guardian.ts';
import { hasCode } from '../../host/error-code.ts';
import { isFree, type Processes, readOwner } from '../../state/owner.ts';
import { claim, runDirectory } from '../../state/run-directory.ts';
import type { RunFacts } from '../../state/run-file.ts';
import { openStateOrFallback } from '../../state/state-directory.ts';

/** Somebody may just be looking at it. One who has it for longer has taken it over. */
const CLAIM_TRIES = 20;
const CLAIM_PAUSE_MS = 250;
/** A disk that has not answered by then is done without: meanwhile nobody reads what the command prints. */
const DISK_MS = 20_000;

/** @returns the exit code to leave with: 0 when nothing is left to be done; 3, and the guardian drains the pipes */
export async function adoptCommand(run: string, version: string): Promise<number> {
  const { facts: told, secrets } = extractHandover(process.env, run);
  const settings = withConfig(process.env, readConfigFile(process.env).values);
  const found = await withTimeout(find(run, told, settings), DISK_MS, { fallback: known(told, null) });
  switch (found.kind) {
    case 'taken':
      return 0;
    case 'unknown':
      return EXIT_STILL_PRINTING;
    case 'orphaned':
      return adopt(found.orphaned, secrets, settings, version);
  }
}

type Found =
  | { readonly kind: 'orphaned'; readonly orphaned: AdoptableRun }
  /** Somebody else has it. */
  | { readonly kind: 'taken' }
  /** Too little is known of it. */
  | { readonly kind: 'unknown' };

async function find(run: string, told: RunFacts | null, settings: Environment): Promise<Found> {
  const state = await openStateOrFallback(settings);
  const looked = state.kind === 'unusable' ? null : await runDirectory(state.directory, run);
  if (state.kind === 'unusable' || looked === null) return known(told, null);
  for (let tries = 1; ; tries += 1) {
    const directory = await claim(looked, state.processes);
    if (directory !== null) return known(directory.facts, { state, directory });
    if (tries === CLAIM_TRIES) return (await isTaken(looked, state.processes)) ? { kind: 'taken' } : known(told, null);
    await sleep(CLAIM_PAUSE_MS);
  }
}

/** Not where its owner is dead and it can't be claimed all the same: on a disk that can't be written any more. */
async function isTaken(directory: string, processes: Processes): Promise<boolean> {
  try {
    return !(await isFree(directory, await readOwner(directory), processes));
  } catch (error) {
    // Whoever had it has just removed it. Anything else: nobody can have it.
    return hasCode(error, 'ENOENT');
  }
}

function known(facts: RunFacts | null, storage: AdoptableRun['storage']): Found {
  const origin = facts?.process_tree ?? null;
  if (facts === null || origin === null) return { kind: 'unknown' };
  return { kind: 'orphaned', orphaned: { facts, origin, supervision: facts.supervision, storage } };
}
