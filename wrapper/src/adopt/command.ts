/** `leash adopt`: what a guardian starts when the wrapper of its run has died. Nobody types it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfigFile, withConfig } from '../cli/config-file.ts';
import { EXIT_STILL_PRINTING, takeInheritedFacts } from '../guardian/guardian.ts';
import { openState, type State } from '../run/state.ts';
import { claim, runDirectory } from '../spool/run-directory.ts';
import type { RunFacts } from '../spool/run-facts.ts';
import { adopt, type Orphaned } from './adopt.ts';

/** Somebody may just be looking at it. One who has it for longer has taken it over. */
const CLAIM_TRIES = 20;
const CLAIM_PAUSE_MS = 250;

/** @returns the exit code to leave with: 0 when nothing is left to be done; 3, and the guardian drains the pipes */
export async function adoptCommand(run: string, version: string): Promise<number> {
  const told = takeInheritedFacts(process.env);
  const settings = withConfig(process.env, readConfigFile(process.env).values);
  const state = await openState(settings);
  const found = await find(run, told, state.kind === 'usable' ? state : null);
  switch (found.kind) {
    case 'taken':
      return 0;
    case 'unknown':
      return EXIT_STILL_PRINTING;
    case 'orphaned':
      return adopt(found.orphaned, settings, version);
  }
}

type Found =
  | { readonly kind: 'orphaned'; readonly orphaned: Orphaned }
  /** Somebody else has it. */
  | { readonly kind: 'taken' }
  /** Too little is known of it. */
  | { readonly kind: 'unknown' };

async function find(run: string, told: RunFacts | null, state: State | null): Promise<Found> {
  const looked = state === null ? null : await runDirectory(state.directory, run);
  if (state === null || looked === null) return known(told, null);
  for (let tries = 1; ; tries += 1) {
    const directory = await claim(looked, state.processes);
    if (directory !== null) return known(directory.facts, { state, directory });
    if (tries === CLAIM_TRIES) return { kind: 'taken' };
    await sleep(CLAIM_PAUSE_MS);
  }
}

function known(facts: RunFacts | null, place: Orphaned['place']): Found {
  const { family: origin = null, supervision } = facts ?? {};
  if (facts === null || origin === null || supervision === undefined) return { kind: 'unknown' };
  return { kind: 'orphaned', orphaned: { facts, origin, supervision, place } };
}
