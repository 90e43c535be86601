/** Runs arrive twice, from a snapshot and from a socket, in any order: the higher `seq` is the newer. */
import type { Run } from '#protocol/api';
import type { RunRef } from './run-ref.ts';

export type Runs = ReadonlyMap<RunRef, Run>;

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
export function unaccounted(before: Runs, now: Runs, snapshot: ReadonlySet<RunRef>): Run[] {
  return [...before].flatMap(([ref, run]) => (!snapshot.has(ref) && now.get(ref) === run ? [run] : []));
}
