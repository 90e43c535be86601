/** What the guardian of a run is told to do. */
import type { Environment } from '../config/config-file.ts';
import { ownProgram } from '../host/own-program.ts';
import type { ProcessRef } from '../processes/process-ref.ts';
import { FORMAT_VERSION, type RunFacts } from '../state/run-file.ts';
import type { GuardianPlan } from './guardian.ts';

/**
 * @param facts as far as they are known; without the wrapper where that can't be told from other processes
 * @param pgid the command's process group
 * @param secrets variables that the command alone was given
 */
export function createGuardianPlan(
  { wrapper, ...facts }: Omit<RunFacts, 'version' | 'wrapper'> & { wrapper: ProcessRef | null },
  pgid: number,
  secrets: Environment = {},
): GuardianPlan {
  const { run, limits, supervision, process_tree: origin } = facts;
  const leash = ownProgram();
  return {
    kind: supervision.wrapper_death,
    run,
    group: { pgid, startTime: origin?.leader.startTime ?? null },
    killArguments: [...leash, 'adopt', '--kill', '--signal', supervision.signal, '--grace', `${limits.grace_ms}ms`],
    adoptArguments: [...leash, 'adopt'],
    secrets,
    facts: origin === null || wrapper === null ? null : { ...facts, version: FORMAT_VERSION, wrapper },
  };
}
