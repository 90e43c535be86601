/** Which machines have come with a new token. Pure. */
import type { Run, Token } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';

/**
 * The first run of each machine since the token was created, in the order in which they started.
 *
 * A run doesn't say which token it came with: these are the runs that may have come with this one.
 */
export function firstRuns({ jobs, machines, created_at: createdAt }: Token, runs: Iterable<Run>): Run[] {
  const since = Date.parse(createdAt);
  const first = new Map<string, Run>();
  for (const run of runs) {
    if (Date.parse(run.started_at) < since) continue;
    if (!matchesGlob(jobs, run.job) || !matchesGlob(machines, run.machine)) continue;
    const known = first.get(run.machine);
    if (known === undefined || run.started_at <= known.started_at) first.set(run.machine, run);
  }
  return [...first.values()].toSorted((a, b) => (a.started_at < b.started_at ? -1 : 1));
}
