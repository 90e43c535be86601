/** The index of runs that lists are read from. The truth is in the jobs' objects. */
import * as v from 'valibot';
import { Run } from '#protocol/api';
import type { RunState } from '#protocol/run-state';
import { matching, matchingOneOf } from './glob.ts';

/** Brings runs up to date, each unless a newer state of it is here already. For the jobs' objects. */
export function mirrorRuns(db: D1Database, runs: readonly Run[]): D1PreparedStatement {
  const rows = runs.map((run) => ({ started_at: Date.parse(run.started_at), run }));
  return db
    .prepare(
      // A run id that two jobs use stays with the one that used it first.
      `INSERT INTO runs (id, job, machine, state, started_at, seq, resource)
       SELECT value ->> '$.run.id', value ->> '$.run.job', value ->> '$.run.machine', value ->> '$.run.state',
         value ->> '$.started_at', value ->> '$.run.seq', value -> '$.run'
       FROM json_each(?) WHERE true
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, seq = excluded.seq, resource = excluded.resource
       WHERE excluded.seq > runs.seq AND excluded.job = runs.job`,
    )
    .bind(JSON.stringify(rows));
}

/**
 * Removes runs that ended before a time, oldest first: what no object has removed, as after D1 was restored to an older
 * state. Few rows are read: the runs that started before that time are those, and the few that took so long.
 */
export function forgetLeftOverRuns(db: D1Database, endedBefore: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM runs WHERE id IN (
         SELECT id FROM runs WHERE started_at < ?1 AND state NOT IN ('running', 'killing')
           AND resource ->> 'ended_at' < ?2
         ORDER BY started_at LIMIT ?3)`,
    )
    .bind(endedBefore, new Date(endedBefore).toISOString(), limit);
}

export async function findRun(db: D1Database, id: string): Promise<Run | null> {
  const row = await db.prepare('SELECT resource FROM runs WHERE id = ?').bind(id).first<{ resource: string }>();
  return row === null ? null : readRun(row.resource);
}

/** Where a list of runs goes on: after this one, newest first. */
export interface RunPosition {
  readonly startedAt: number;
  readonly id: string;
}

export interface RunFilter {
  /** The jobs that the caller may read. */
  readonly jobGlob: string;
  readonly job?: string | undefined;
  readonly machine?: string | undefined;
  readonly state?: RunState | undefined;
  readonly after?: RunPosition | undefined;
}

/** Runs, newest first, each with its place in the list. */
export async function listRuns(
  db: D1Database,
  filter: RunFilter,
  limit: number,
): Promise<(RunPosition & { readonly run: Run })[]> {
  const conditions: [condition: string, ...values: (string | number)[]][] = [];
  if (filter.jobGlob !== '*') conditions.push(matching('job', filter.jobGlob));
  if (filter.job !== undefined) conditions.push(['job = ?', filter.job]);
  if (filter.machine !== undefined) conditions.push(['machine = ?', filter.machine]);
  if (filter.state !== undefined) conditions.push(['state = ?', filter.state]);
  if (filter.after !== undefined)
    conditions.push(['(started_at, id) < (?, ?)', filter.after.startedAt, filter.after.id]);
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.map(([condition]) => condition).join(' AND ')}`;
  const { results } = await db
    .prepare(
      `SELECT started_at AS "startedAt", id, resource FROM runs ${where} ORDER BY started_at DESC, id DESC LIMIT ?`,
    )
    .bind(...conditions.flatMap(([, ...values]) => values), limit)
    .all<RunPosition & { resource: string }>();
  return results.map(({ resource, ...position }) => ({ ...position, run: readRun(resource) }));
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

/** For each of some jobs: its newest run, and all that live. */
export async function runsOfJobs(db: D1Database, jobs: readonly string[]): Promise<Run[]> {
  if (jobs.length === 0) return [];
  const names = JSON.stringify(jobs);
  const [live, last] = await db.batch<{ resource: string }>([
    db
      .prepare(
        `SELECT resource FROM runs WHERE state IN ('running', 'killing') AND job IN (SELECT value FROM json_each(?))
         ORDER BY started_at DESC, id DESC LIMIT 1000`,
      )
      .bind(names),
    db
      .prepare(
        `SELECT (SELECT resource FROM runs WHERE job = names.value ORDER BY started_at DESC, id DESC LIMIT 1) AS resource
         FROM json_each(?) AS names`,
      )
      .bind(names),
  ]);
  const unique = new Map<string, Run>();
  for (const { resource } of [...(live?.results ?? []), ...(last?.results ?? [])]) {
    // A job without runs yet has no newest one.
    if (resource === null) continue;
    const run = readRun(resource);
    unique.set(run.id, run);
  }
  return [...unique.values()];
}

function readRun(resource: string): Run {
  return v.parse(Run, JSON.parse(resource));
}
