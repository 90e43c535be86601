/** Finds the run that a guardian asks a successor to take over, and claims its directory. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../config/config-file.ts';
import { hasCode } from '../host/error-code.ts';
import type { RunStorage } from '../run/run-persistence.ts';
import { isFree, type Processes, readOwner } from '../state/owner.ts';
import { claim, runDirectory } from '../state/run-directory.ts';
import type { RunFacts } from '../state/run-file.ts';
import { openStateOrFallback } from '../state/state-directory.ts';
import type { AdoptableRun } from './adopt.ts';

/** Another process may just be looking at the directory. One that has it for longer has taken the run over. */
const CLAIM_TRIES = 20;
const CLAIM_PAUSE_MS = 250;

export type FoundRun =
  | { readonly kind: 'adoptable'; readonly run: AdoptableRun }
  /** Another process has taken it over. */
  | { readonly kind: 'taken' }
  /** Too little is known of it. */
  | { readonly kind: 'unknown' };

/** @param facts what the guardian knows of the run, in case it has no directory */
export async function findRun(run: string, facts: RunFacts | null, settings: Environment): Promise<FoundRun> {
  const state = await openStateOrFallback(settings);
  const path = state.kind === 'unusable' ? null : await runDirectory(state.directory, run);
  if (state.kind === 'unusable' || path === null) return fromFacts(facts, null);
  for (let tries = 1; ; tries += 1) {
    const directory = await claim(path, state.processes);
    if (directory !== null) return fromFacts(directory.facts, { state, directory });
    if (tries === CLAIM_TRIES)
      return (await isTaken(path, state.processes)) ? { kind: 'taken' } : fromFacts(facts, null);
    await sleep(CLAIM_PAUSE_MS);
  }
}

export function fromFacts(facts: RunFacts | null, storage: RunStorage | null): FoundRun {
  const origin = facts?.process_tree ?? null;
  if (facts === null || origin === null) return { kind: 'unknown' };
  return { kind: 'adoptable', run: { facts, origin, supervision: facts.supervision, storage } };
}

/** False where its owner is dead and it can't be claimed anyway, on a disk that can no longer be written. */
async function isTaken(directory: string, processes: Processes): Promise<boolean> {
  try {
    return !(await isFree(directory, await readOwner(directory), processes));
  } catch (error) {
    // ENOENT: its owner has just removed it. Any other error: no process can have it.
    return hasCode(error, 'ENOENT');
  }
}
