/** Runs arrive twice, from a snapshot and from a socket, in any order: the higher `seq` is the newer. */
import type { Run } from '#protocol/api';

export type Runs = ReadonlyMap<string, Run>;

/** A run that the control plane keeps no longer. One with a higher `seq` is another, that has the same id. */
export interface ForgottenRun {
  readonly job: string;
  readonly id: string;
  readonly seq: number;
}

export function newerOf(known: Run | null | undefined, arrived: Run): Run {
  if (known === null || known === undefined || arrived.seq > known.seq) return arrived;
  // Of one and the same version, the one with more output was taken later.
  if (arrived.seq === known.seq && arrived.output_bytes > known.output_bytes) return arrived;
  return known;
}

/**
 * Runs that we hold to be open while a whole snapshot knows nothing of them: they ended while nobody listened. They have
 * to be asked for one by one.
 */
export function unaccounted(before: Runs, now: Runs, snapshot: ReadonlySet<string>): string[] {
  return [...before.values()].filter((run) => !snapshot.has(run.id) && now.get(run.id) === run).map(({ id }) => id);
}
