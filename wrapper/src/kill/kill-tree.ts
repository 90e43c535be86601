/** Ending a family whose wrapper is gone, by the rules that a run is ended by. */
import { performance } from 'node:perf_hooks';
import { describeStep } from '../format/run-end.ts';
import type { Log } from '../logging/log.ts';
import type { EndRequest } from './decide.ts';
import { type Endable, Terminator } from './terminator.ts';

/**
 * Sends the signal to all of it and, when the grace is over, SIGKILL until nothing is left.
 *
 * @returns pids of those that could not be ended, at most 64. Never rejects.
 */
export async function endFamily(family: Endable, how: Omit<EndRequest, 'cause'>, log: Log): Promise<readonly number[]> {
  const since = performance.now();
  const terminator = new Terminator(
    leaderless(family),
    () => Math.round(performance.now() - since),
    (step) => log.info(describeStep(step)),
    log,
  );
  terminator.request({ cause: { kind: 'local_signal' }, ...how });
  terminator.leaderExited();
  await terminator.over();
  return terminator.stage.kind === 'gone' ? terminator.stage.survivors : [];
}

/** Of a family whose leader is nobody's child any more: whether it has exited says nothing, and nobody has to collect it. */
export function leaderless(family: Endable): Endable {
  return {
    members: () => family.members(),
    signal: (name) => family.signal(name),
    leaderHasExited: () => false,
    mayHoldOutput: (pid) => family.mayHoldOutput(pid),
    related: () => family.related(),
    includeRelated: () => family.includeRelated(),
  };
}
