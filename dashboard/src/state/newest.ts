/** Runs arrive twice, from a snapshot and from a socket, in any order: the higher `seq` is the newer. */
import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';

export type Runs = ReadonlyMap<string, Run>;

export function newerOf(known: Run | null | undefined, arrived: Run): Run {
  if (known === null || known === undefined || arrived.seq > known.seq) return arrived;
  // Of one and the same version, the one with more output was taken later.
  if (arrived.seq === known.seq && arrived.output_bytes > known.output_bytes) return arrived;
  return known;
}

/** The same map if nothing new came, so that nothing is drawn again. */
export function mergeRuns(known: Runs, arrived: Iterable<Run>): Runs {
  let merged: Map<string, Run> | null = null;
  for (const run of arrived) {
    const current: Run | undefined = (merged ?? known).get(run.id);
    const newer = newerOf(current, run);
    if (newer === current) continue;
    merged ??= new Map(known);
    merged.set(run.id, newer);
  }
  return merged ?? known;
}

/** Everything that lives, and of the rest what ended last. */
export function pruneEnded(runs: Runs, keep: number): Runs {
  const ended = endedRuns(runs);
  if (ended.length <= keep) return runs;
  const pruned = new Map(runs);
  for (const run of ended.slice(keep)) pruned.delete(run.id);
  return pruned;
}

/** What runs now, the latest start first. */
export function liveRuns(runs: Runs): Run[] {
  return [...runs.values()]
    .filter((run) => isLive(run.state))
    .sort((a, b) => latestFirst(a, b, a.started_at, b.started_at));
}

/** What has ended, the latest end first. */
export function endedRuns(runs: Runs): Run[] {
  return [...runs.values()]
    .filter((run) => !isLive(run.state))
    .sort((a, b) => latestFirst(a, b, a.ended_at ?? a.started_at, b.ended_at ?? b.started_at));
}

/**
 * Runs that we hold to be alive while a whole snapshot knows nothing of them: they ended while nobody listened, so long
 * ago that no list shows them any more. They have to be asked for one by one.
 */
export function unaccounted(before: Runs, now: Runs, snapshot: ReadonlySet<string>): string[] {
  return [...before.values()]
    .filter((run) => isLive(run.state) && !snapshot.has(run.id) && now.get(run.id) === run)
    .map((run) => run.id);
}

function latestFirst(a: Run, b: Run, timeOfA: string, timeOfB: string): number {
  return Date.parse(timeOfB) - Date.parse(timeOfA) || (a.id < b.id ? 1 : -1);
}
