/** The index of runs. Their true state is in the jobs' objects. */
import * as v from 'valibot';
import { Run } from '#protocol/api';
import { matching, matchingOneOf } from './glob.ts';

/** A run is named by job and id, because two jobs may report the same id. */
export interface RunName {
  readonly id: string;
  readonly job: string;
}

/** Inserts or updates runs, except those of which a newer state is stored. For the jobs' objects. */
export function upsertRuns(db: D1Database, runs: readonly Run[]): D1PreparedStatement {
  const rows = runs.map((run) => ({ started_at: Date.parse(run.started_at), run }));
  return db
    .prepare(
      `INSERT INTO runs (id, job, machine, state, started_at, seq, resource)
       SELECT value ->> '$.run.id', value ->> '$.run.job', value ->> '$.run.machine', value ->> '$.run.state',
         value ->> '$.started_at', value ->> '$.run.seq', value -> '$.run'
       FROM json_each(?) WHERE true
       ON CONFLICT (id, job) DO UPDATE SET state = excluded.state, seq = excluded.seq, resource = excluded.resource
       WHERE excluded.seq > runs.seq`,
    )
    .bind(JSON.stringify(rows));
}

/**
 * Removes runs that ended before a time and that their objects have not removed, oldest first, for example after D1 was
 * restored to an older state.
 */
export function purgeStaleRuns(db: D1Database, endedBefore: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE rowid IN (
         SELECT rowid FROM runs WHERE started_at < ?1 AND state NOT IN ('running', 'killing')
           AND resource ->> 'ended_at' < ?2
         ORDER BY started_at LIMIT ?3)`,
    )
    .bind(endedBefore, new Date(endedBefore).toISOString(), limit);
}

/** Removes the ended runs that started first, so that D1 does not fill up. Their objects keep them. */
export function purgeOldestRuns(db: D1Database, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs WHERE final = 1 ORDER BY started_at, id, job LIMIT ?)`,
    )
    .bind(limit);
}

/** When the first of the ended runs started; null if there are none. */
export async function oldestEndedRunStart(db: D1Database): Promise<number | null> {
  return db
    .prepare('SELECT started_at FROM runs WHERE final = 1 ORDER BY started_at, id, job LIMIT 1')
    .first<number>('started_at');
}

/** How many runs with the same id are found. */
export const MAX_NAMESAKES = 20;

export interface RunQuery {
  readonly id: string;
  /** The jobs that the caller may see. */
  readonly jobGlob: string;
  /** Null: of any job. */
  readonly job: string | null;
}

/** The runs with an id: several if several jobs have reported it. Sorted by job. */
export async function findRuns(db: D1Database, { id, jobGlob, job }: RunQuery): Promise<Run[]> {
  const [isVisible, glob] = matching('job', jobGlob);
  const { results } = await db
    .prepare(
      `SELECT resource FROM runs WHERE id = ? AND ${isVisible} ${job === null ? '' : 'AND job = ?'}
       ORDER BY job LIMIT ${MAX_NAMESAKES}`,
    )
    .bind(id, glob, ...(job === null ? [] : [job]))
    .all<{ resource: string }>();
  return results.map(({ resource }) => readRun(resource));
}

export interface OpenRunFilter {
  /** The jobs that the caller may kill. */
  readonly jobGlob: string;
  /** Globs, any of which must match; undefined matches everything. */
  readonly jobs: readonly string[] | undefined;
  readonly machines: readonly string[] | undefined;
  readonly instance: string | undefined;
}

/** The jobs with a matching run that may be alive, sorted by name. */
export async function jobsWithOpenRuns(db: D1Database, filter: OpenRunFilter, limit: number): Promise<string[]> {
  const conditions: [condition: string, ...values: string[]][] = [matching('job', filter.jobGlob)];
  if (filter.jobs !== undefined) conditions.push(matchingOneOf('job', filter.jobs));
  if (filter.machines !== undefined) conditions.push(matchingOneOf('machine', filter.machines));
  if (filter.instance !== undefined) conditions.push(["resource ->> '$.instance' = ?", filter.instance]);
  const { results } = await db
    .prepare(
      `SELECT DISTINCT job FROM runs WHERE final = 0 AND ${conditions.map(([condition]) => condition).join(' AND ')}
       ORDER BY job LIMIT ?`,
    )
    .bind(...conditions.flatMap(([, ...values]) => values), limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
}

export function readRun(resource: string): Run {
  return v.parse(Run, JSON.parse(resource));
}

/** The runs with these ids, of all jobs that the caller may see. */
export async function findRunNames(db: D1Database, ids: readonly string[], jobGlob: string): Promise<RunName[]> {
  const [isVisible, glob] = matching('job', jobGlob);
  const { results } = await db
    .prepare(`SELECT id, job FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND ${isVisible} ORDER BY job`)
    .bind(JSON.stringify(ids), glob)
    .all<{ id: string; job: string }>();
  return results;
}
