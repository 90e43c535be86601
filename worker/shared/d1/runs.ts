/** The index of runs that lists are read from. The truth is in the jobs' objects. */
import * as v from 'valibot';
import { Run } from '#protocol/api';
import { matching, matchingOneOf } from './glob.ts';

/** What names a run: nothing keeps two jobs from reporting the same id. */
export interface RunName {
  readonly id: string;
  readonly job: string;
}

/** Brings runs up to date, each unless a newer state of it is here already. For the jobs' objects. */
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
 * Removes runs that ended before a time, oldest first: what no object has removed, as after D1 was restored to an older
 * state. Few rows are read: the runs that started before that time are those, and the few that took so long.
 */
export function purgeLeftOverRuns(db: D1Database, endedBefore: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE rowid IN (
         SELECT rowid FROM runs WHERE started_at < ?1 AND state NOT IN ('running', 'killing')
           AND resource ->> 'ended_at' < ?2
         ORDER BY started_at LIMIT ?3)`,
    )
    .bind(endedBefore, new Date(endedBefore).toISOString(), limit);
}

/** So many runs with the same id are found: to name the jobs that have one. */
export const MAX_NAMESAKES = 20;

export interface RunQuery {
  readonly id: string;
  /** The jobs that the caller may see. */
  readonly jobGlob: string;
  /** Null: of any job. */
  readonly job: string | null;
}

/** The runs with an id: one, unless several jobs have reported the same. In the order of their jobs' names. */
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
  /** The jobs that the caller may end. */
  readonly jobGlob: string;
  /** Each matches what one of its globs matches; undefined matches everything. */
  readonly jobs: readonly string[] | undefined;
  readonly machines: readonly string[] | undefined;
  readonly instance: string | undefined;
}

/** The jobs of which a run that may still be alive matches, in the order of their names. */
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

/** The runs that there are with some ids, of all the jobs that the caller may see and that have reported them. */
export async function findRunNames(db: D1Database, ids: readonly string[], jobGlob: string): Promise<RunName[]> {
  const [isVisible, glob] = matching('job', jobGlob);
  const { results } = await db
    .prepare(`SELECT id, job FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND ${isVisible} ORDER BY job`)
    .bind(JSON.stringify(ids), glob)
    .all<{ id: string; job: string }>();
  return results;
}
