import type { Expectation, OverdueRun } from '#protocol/expectations';
import type { Tombstone } from '../../shared/d1/tombstones.ts';
import type { JobChanges, PublishedChanges, TakenKill } from '../../shared/job-changes.ts';

export interface LatestChanges extends PublishedChanges {
  /** Those with a run: a kill for a name that was never a job's does not create the job. */
  readonly jobs: readonly string[];
  readonly removedKills: readonly Tombstone[];
  readonly taken: readonly TakenKill[];
  readonly expectations: readonly Expectation[];
  readonly removedExpectations: readonly Tombstone[];
  readonly overdueRuns: readonly OverdueRun[];
}

/**
 * The changes of many jobs as one, each run and kill once, in its latest state: an object that was restarted may send
 * the same again while its first call is pending, and one statement must not meet a row twice.
 */
export function latestChanges(all: readonly JobChanges[]): LatestChanges {
  return {
    jobs: [...new Set(all.filter(({ runs }) => runs.length > 0).map(({ job }) => job))],
    runs: latest(
      all.flatMap(({ runs }) => runs),
      ({ id }) => id,
    ),
    kills: latest(
      all.flatMap(({ kills }) => kills),
      ({ id }) => id,
    ),
    removedRuns: all.flatMap(({ job, removedRuns }) => removedRuns.map((run) => ({ job, ...run }))),
    taken: [...new Map(all.flatMap(({ taken = [] }) => taken).map((one) => [one.kill.id, one])).values()],
    expectations: latest(
      all.flatMap(({ expectations = [] }) => expectations),
      ({ machine }) => machine ?? '',
    ),
    removedExpectations: all.flatMap(({ job, removedExpectations = [] }) =>
      removedExpectations.map((expectation) => ({ job, ...expectation })),
    ),
    overdueRuns: all.flatMap(({ overdueRuns = [] }) => overdueRuns),
    removedKills: all.flatMap(({ job, removedKills }) => removedKills.map((kill) => ({ job, ...kill }))),
  };
}

function latest<Resource extends { readonly job: string; readonly seq: number }>(
  resources: readonly Resource[],
  nameOf: (resource: Resource) => string,
): Resource[] {
  const byName = new Map<string, Resource>();
  for (const resource of resources) {
    const name = `${resource.job}/${nameOf(resource)}`;
    const known = byName.get(name);
    if (known === undefined || resource.seq > known.seq) byName.set(name, resource);
  }
  return [...byName.values()];
}
