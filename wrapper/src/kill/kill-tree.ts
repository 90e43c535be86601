/** Kills a process tree whose wrapper is gone, by the rules of a run's kill. */
import { performance } from 'node:perf_hooks';
import { describeStep } from '../format/run-end.ts';
import type { Log } from '../logging/log.ts';
import type { EndRequest } from './decide.ts';
import { type KillableTree, Terminator } from './terminator.ts';

/**
 * Sends the signal to all of it and, when the grace is over, SIGKILL until nothing is left.
 *
 * @returns pids of those that could not be ended, at most 64. Never rejects.
 */
export async function killTree(
  tree: KillableTree,
  how: Omit<EndRequest, 'cause'>,
  log: Log,
): Promise<readonly number[]> {
  const since = performance.now();
  const terminator = new Terminator(
    leaderless(tree),
    () => Math.round(performance.now() - since),
    (step) => log.info(describeStep(step)),
    log,
  );
  terminator.request({ cause: { kind: 'local_signal' }, ...how });
  terminator.leaderExited();
  await terminator.over();
  return terminator.stage.kind === 'gone' ? terminator.stage.survivors : [];
}

/** A tree whose leader isn't our child: its exit means nothing, and doesn't have to be collected. */
export function leaderless(tree: KillableTree): KillableTree {
  return {
    members: () => tree.members(),
    signal: (...signals) => tree.signal(...signals),
    leaderHasExited: () => false,
    mayHoldOutput: (pid) => tree.mayHoldOutput(pid),
    related: () => tree.related(),
    includeRelated: () => tree.includeRelated(),
  };
}
