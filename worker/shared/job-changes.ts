/** Changes of a job's object that go to D1 and then to viewers. */
import type { Occurrence } from '#protocol/alerts';
import type { Kill, Run } from '#protocol/api';
import type { Expectation, OverdueRun } from '#protocol/expectations';
import { KIB } from '#protocol/limits';
import type { AuditEntry } from './d1/audit.ts';
import type { IdempotencyKey } from './d1/idempotency.ts';
import type { Tombstone } from './d1/tombstones.ts';

export interface Changes {
  readonly runs: readonly Run[];
  readonly kills: readonly Kill[];
}

/** What viewers are sent after D1 has it. */
export interface PublishedChanges extends Changes {
  readonly removedRuns: readonly Tombstone[];
  /** Absent from older gateways. */
  readonly expectations?: readonly Expectation[];
  /** Their ids are those of the machines. */
  readonly removedExpectations?: readonly Tombstone[];
}

/** A run or kill of the job that its object has purged. */
export type JobTombstone = Omit<Tombstone, 'job'>;

/** The changes of one job. */
export interface JobChanges extends Changes {
  readonly job: string;
  readonly removedRuns: readonly JobTombstone[];
  readonly removedKills: readonly JobTombstone[];
  /** Kills that the object has taken without D1: those of `kills` that D1 may lack. Absent from older objects. */
  readonly taken?: readonly TakenKill[];
  /** Absent from older objects. */
  readonly expectations?: readonly Expectation[];
  /** Their ids are those of the machines. Absent from older objects. */
  readonly removedExpectations?: readonly JobTombstone[];
  /** Runs that were late or missed, and are not any more. Absent from older objects. */
  readonly overdueRuns?: readonly OverdueRun[];
  /** What has happened to it that alerts may be about. Absent from older objects. */
  readonly occurrences?: readonly Occurrence[];
}

export interface TakenKill {
  readonly kill: Kill;
  readonly audit: AuditEntry & { readonly id: string };
  readonly key: IdempotencyKey | null;
}

/** The most that one batch to D1 may weigh: less than a megabyte, and a value of D1 has at most two. */
export const MAX_BATCH_WEIGHT = 100;

/** This much JSON of texts that a wrapper gave weighs as much as the rest of a run: 4 KiB of control characters are 24 KiB of JSON. */
const COMMAND_LINE_CHARS_PER_WEIGHT = 8 * KIB;

/** This many targets of a kill weigh as much as a run. */
const TARGETS_PER_WEIGHT = 25;

function weighRun(run: Run): number {
  const chars = JSON.stringify([run.command_line, run.left_running, run.about]).length;
  return 1 + Math.floor(chars / COMMAND_LINE_CHARS_PER_WEIGHT);
}

function weighKill(kill: Kill): number {
  const named = kill.targets.filter(({ related_count }) => related_count > 0).map(({ related }) => related);
  const chars = named.length === 0 ? 0 : JSON.stringify(named).length;
  return 1 + kill.targets.length / TARGETS_PER_WEIGHT + Math.floor(chars / COMMAND_LINE_CHARS_PER_WEIGHT);
}

/** Their weight in a batch; a run weighs 1. */
export function weighChanges(changes: Omit<JobChanges, 'job'>): number {
  const { runs, kills, removedRuns, removedKills, taken = [], expectations = [], removedExpectations = [] } = changes;
  const { overdueRuns = [] } = changes;
  const others = [removedRuns, removedKills, taken, expectations, removedExpectations, overdueRuns];
  return sum(others.map(({ length }) => length)) + sum(runs.map(weighRun)) + sum(kills.map(weighKill));
}

function sum(weights: readonly number[]): number {
  return weights.reduce((total, weight) => total + weight, 0);
}
