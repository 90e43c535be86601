/** Creates the plan that a run's guardian follows. */
import type { Environment } from '../config/config-file.ts';
import { ownProgram } from '../host/own-program.ts';
import type { ProcessRef } from '../processes/process-ref.ts';
import { FORMAT_VERSION, type RunFacts } from '../state/run-file.ts';
import type { GuardianPlan } from './guardian.ts';

/**
 * @param facts `wrapper` is null where its process can't be identified
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
