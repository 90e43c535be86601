/** Commands that lost their wrapper before their end was recorded, and run on. */
import type { Log } from '../log.ts';
import { noFamily, type ProcessFamily, processFamily } from '../processes/family.ts';
import type { State } from '../run/state.ts';
import { claim } from '../spool/run-directory.ts';
import type { RunFacts } from '../spool/run-facts.ts';
import { listRunDirectories } from '../spool/run-listing.ts';
import { endFamily } from '../terminate/end-family.ts';

export interface Orphan {
  readonly facts: RunFacts;
  readonly family: ProcessFamily;
  /** Pids of its living processes, at least one. */
  readonly members: readonly number[];
}

/** All of this user on this machine, oldest first. */
export async function findOrphans(state: State): Promise<Orphan[]> {
  const listed = await listRunDirectories(state.directory, state.processes);
  return listed.flatMap(({ ended, facts }) => {
    // What a command leaves behind after its end has been recorded is no orphan: it may be meant to stay.
    if (ended || facts.kind !== 'read' || facts.value.family === null) return [];
    // Not whether the record is anyone's: it is a flusher's while that tries to send it.
    if (state.processes.isRunning(facts.value.wrapper)) return [];
    const family = processFamily(facts.value.family);
    const members = family.members();
    return members.length === 0 ? [] : [{ facts: facts.value, family, members }];
  });
}

/** Removes the records of runs of which nothing is left to find or to send. */
export async function removeSpent(state: State): Promise<void> {
  for (const { path, free, uploaded, facts } of await listRunDirectories(state.directory, state.processes)) {
    if (!free || facts.kind !== 'read') continue;
    const isTold = uploaded || facts.value.control_plane === null;
    const family = facts.value.family === null ? noFamily : processFamily(facts.value.family);
    if (!isTold || family.members().length > 0) continue;
    const directory = await claim(path, state.processes);
    if (directory === null) continue;
    family.release();
    await directory.remove();
  }
}

/** @returns pids of those that could not be ended */
export async function endOrphan(
  { facts, family }: Orphan,
  how: { readonly signal: NodeJS.Signals; readonly graceMs: number },
  log: Log,
): Promise<readonly number[]> {
  log.note(`ending run ${facts.run} of ${facts.job}`);
  const survivors = await endFamily(family, how, log);
  family.release();
  return survivors;
}
