/** The index of runs. Their true state is in the jobs' objects. */
import * as v from 'valibot';
import { Run } from '#protocol/api';
import { isLive, LIVE_STATES, type RunState } from '#protocol/run-state';
import { matching, matchingOneOf } from './glob.ts';
import { indexAbouts } from './job-abouts.ts';
import { quoted } from './quoted.ts';

/** A run is named by job and id, because two jobs may report the same id. */
export interface RunName {
  readonly id: string;
  readonly job: string;
}

const LIVE = quoted(LIVE_STATES);
const MINUTE_MS = 60_000;
/** Runs that took less than this have no span: they are found by their start. */
export const SHORT_MS = 4 * MINUTE_MS;
export const LIVE_SPAN = 0;
/** As in schema.sql. The last is unbounded. */
export const ENDED_SPANS_MS = [...Array.from({ length: 7 }, (_, index) => 4 * SHORT_MS * 4 ** index), 1e15];

function spanOf(run: Run, startedAt: number, endedAt: number | null): number | null {
  if (isLive(run.state)) return LIVE_SPAN;
  const tookMs = (endedAt ?? Number.POSITIVE_INFINITY) - startedAt;
  return tookMs < SHORT_MS ? null : (ENDED_SPANS_MS.find((span) => tookMs < span) ?? Math.max(...ENDED_SPANS_MS));
}

/**
 * Inserts or updates runs, except those of which a newer state is stored, with all that follows from them. To be executed
 * in one batch. For the jobs' objects. `runs` must not contain duplicates.
 */
export function indexRuns(db: D1Database, runs: readonly Run[], now = Date.now()): D1PreparedStatement[] {
  const rows = runs.map((run) => {
    const startedAt = Date.parse(run.started_at);
    const endedAt = run.ended_at === null ? null : Date.parse(run.ended_at);
    return { started_at: startedAt, ended_at: endedAt, span: spanOf(run, startedAt, endedAt), run };
  });
  const json = JSON.stringify(rows);
  const given = `SELECT value ->> '$.run.id' AS id, value ->> '$.run.job' AS job, value ->> '$.run.machine' AS machine,
      value ->> '$.run.state' AS state, value ->> '$.run.final' AS final, value ->> '$.started_at' AS started_at,
      value ->> '$.ended_at' AS ended_at, value ->> '$.span' AS span, value ->> '$.run.seq' AS seq,
      value -> '$.run' AS resource
    FROM json_each(?1)`;
  return [
    // A run that asked starts later than that. Of all others the start stays as it was first reported, and writes no row.
    db
      .prepare(
        `UPDATE runs SET started_at = given.started_at FROM (${given}) AS given
         WHERE runs.id = given.id AND runs.job = given.job AND runs.seq < given.seq
           AND runs.started_at <> given.started_at
           AND (runs.state = 'waiting' OR given.resource ->> '$.asked_at' IS NOT NULL)`,
      )
      .bind(json),
    // A column that is written is written to its indexes, too, even if it stays the same.
    db
      .prepare(
        `UPDATE runs SET state = given.state, final = given.final, ended_at = given.ended_at, span = given.span,
           seq = given.seq, resource = given.resource
         FROM (${given}) AS given
         WHERE runs.id = given.id AND runs.job = given.job AND runs.seq < given.seq
           AND (runs.state, runs.final, runs.ended_at, runs.span) IS NOT (given.state, given.final, given.ended_at, given.span)`,
      )
      .bind(json),
    db
      .prepare(
        `INSERT INTO runs (id, job, machine, state, final, started_at, ended_at, span, indexed_at, seq, resource)
         SELECT id, job, machine, state, final, started_at, ended_at, span, ?2, seq, resource FROM (${given}) WHERE true
         ON CONFLICT (id, job) DO UPDATE SET seq = excluded.seq, resource = excluded.resource
         WHERE excluded.seq > runs.seq`,
      )
      .bind(json, now),
    upsertLastEnds(db, runs),
    ...indexAbouts(db, runs),
  ];
}

/**
 * How each job ended last on each machine: after the index has these runs. A run that was skipped says nothing of how the
 * job is: it counts only where there is no other.
 */
function upsertLastEnds(db: D1Database, runs: readonly Run[]): D1PreparedStatement {
  const ended = runs.filter(({ final }) => final);
  return db
    .prepare(
      `INSERT INTO last_ends (job, machine, run, state, exit_code, ended_at)
       SELECT runs.job, runs.machine, runs.id, runs.state, given.value ->> 'exit_code',
         coalesce(runs.ended_at, runs.started_at)
       FROM json_each(?) AS given JOIN runs ON runs.id = given.value ->> 'id' AND runs.job = given.value ->> 'job'
       WHERE runs.seq = given.value ->> 'seq'
       ON CONFLICT (job, machine) DO UPDATE
         SET run = excluded.run, state = excluded.state, exit_code = excluded.exit_code, ended_at = excluded.ended_at
         WHERE excluded.state <> 'skipped' AND (last_ends.state = 'skipped'
           OR (excluded.ended_at, excluded.run) > (last_ends.ended_at, last_ends.run))`,
    )
    .bind(JSON.stringify(ended.map(({ id, job, seq, exit_code }) => ({ id, job, seq, exit_code }))));
}

/**
 * Removes the last ends of runs that are no longer there. Runs are removed by their ends, the oldest first, so with the
 * last end of a machine nothing older is left of it.
 */
export function purgeLastEnds(db: D1Database): D1PreparedStatement {
  return db.prepare(
    'DELETE FROM last_ends WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = last_ends.run AND runs.job = last_ends.job)',
  );
}

/**
 * Removes runs that ended before a time and that their objects have not removed, oldest first, for example after D1 was
 * restored to an older state. Call `purgeLastEnds` after it.
 */
export function purgeStaleRuns(db: D1Database, endedBefore: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE (id, job) IN (
         SELECT id, job FROM runs INDEXED BY runs_by_start
         WHERE started_at < ?1 AND ended_at < ?1 AND state NOT IN (${LIVE}) ORDER BY started_at LIMIT ?2)`,
    )
    .bind(endedBefore, limit);
}

/** Removes the ended runs that started first, so that D1 does not fill up. Call `purgeLastEnds` after it. */
export function purgeOldestRuns(db: D1Database, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE (id, job) IN (
         SELECT id, job FROM runs INDEXED BY runs_by_start WHERE final = 1 ORDER BY started_at, id, job LIMIT ?)`,
    )
    .bind(limit);
}

/** When the first of the ended runs started; null if there are none. */
export async function oldestEndedRunStart(db: D1Database): Promise<number | null> {
  return db
    .prepare(
      'SELECT started_at FROM runs INDEXED BY runs_by_start WHERE final = 1 ORDER BY started_at, id, job LIMIT 1',
    )
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

/** The jobs with connected runs in these states that these globs match. */
export async function jobsWithConnectedRuns(
  db: D1Database,
  { jobs, machines }: { readonly jobs: readonly string[]; readonly machines: readonly string[] },
  states: readonly RunState[],
  limit: number,
): Promise<string[]> {
  const [ofJobs, jobGlobs] = matchingOneOf('job', jobs);
  const [onMachines, machineGlobs] = matchingOneOf('machine', machines);
  const { results } = await db
    .prepare(
      `SELECT DISTINCT job FROM runs INDEXED BY runs_open WHERE final = 0 AND state IN (${quoted(states)})
         AND resource ->> '$.connected' = 1 AND ${ofJobs} AND ${onMachines} ORDER BY job LIMIT ?`,
    )
    .bind(jobGlobs, machineGlobs, limit)
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
