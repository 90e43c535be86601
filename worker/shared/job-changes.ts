/** What has changed in a job's object, on its way to D1 and the pages. */
import type { Kill, Run } from '#protocol/api';
import { KIB } from '#protocol/limits';
import type { Tombstone } from './d1/tombstones.ts';

export interface Changes {
  readonly runs: readonly Run[];
  readonly kills: readonly Kill[];
}

/** What the watching pages are told once D1 has it. */
export interface News extends Changes {
  readonly forgottenRuns: readonly Tombstone[];
}

/** A run or kill of the job that its object does not keep any more. */
export type JobTombstone = Omit<Tombstone, 'job'>;

/** The changes that one job's object has to tell. */
export interface JobChanges extends Changes {
  readonly job: string;
  readonly forgottenRuns: readonly JobTombstone[];
  readonly forgottenKills: readonly JobTombstone[];
}

/** What goes to D1 at once weighs at most this: less than a megabyte, and one value of D1 has at most two. */
export const MAX_BATCH_WEIGHT = 100;

/** So much JSON of command lines is as much as the rest of a run: 4 KiB of control characters are 24 KiB of it. */
const COMMAND_LINE_CHARS_PER_WEIGHT = 8 * KIB;

/** So many targets of a kill are as much JSON as a run. */
const TARGETS_PER_WEIGHT = 25;

function weighRun(run: Run): number {
  const chars = JSON.stringify([run.command_line, run.left_running]).length;
  return 1 + Math.floor(chars / COMMAND_LINE_CHARS_PER_WEIGHT);
}

function weighKill(kill: Kill): number {
  const named = kill.targets.filter(({ related_count }) => related_count > 0).map(({ related }) => related);
  const chars = named.length === 0 ? 0 : JSON.stringify(named).length;
  return 1 + kill.targets.length / TARGETS_PER_WEIGHT + Math.floor(chars / COMMAND_LINE_CHARS_PER_WEIGHT);
}

/** How much they add to a batch, with a run as the unit. */
export function weighChanges({ runs, kills, forgottenRuns, forgottenKills }: Omit<JobChanges, 'job'>): number {
  const forgotten = forgottenRuns.length + forgottenKills.length;
  return forgotten + sum(runs.map(weighRun)) + sum(kills.map(weighKill));
}

function sum(weights: readonly number[]): number {
  return weights.reduce((total, weight) => total + weight, 0);
}
