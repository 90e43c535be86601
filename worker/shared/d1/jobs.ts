/** The index of jobs. */
import type { About } from '#protocol/about';
import { LIVE_STATES } from '#protocol/run-state';
import { matching, matchingOneOf } from './glob.ts';
import { JOB_HAS_TAG, readAbout } from './job-abouts.ts';
import { quoted } from './quoted.ts';

/** Inserts jobs that are not there yet. For their objects. */
export function upsertJobs(db: D1Database, names: readonly string[], now: number): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO jobs (name, first_seen_at, checked_at) SELECT value, ?2, ?2 FROM json_each(?1) WHERE true
       ON CONFLICT DO NOTHING`,
    )
    .bind(JSON.stringify(names), now);
}

/** Removes a job without runs and queued kills. For the job's object. */
export async function purgeJob(db: D1Database, name: string): Promise<void> {
  await db.batch([
    db
      .prepare(
        `DELETE FROM jobs WHERE name = ?1
           AND NOT EXISTS (SELECT 1 FROM runs WHERE job = ?1)
           AND NOT EXISTS (SELECT 1 FROM kills WHERE job = ?1 AND state IN ('queued', 'delivered') AND accepted = 0)`,
      )
      .bind(name),
    ...['job_abouts', 'overdue_runs'].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE job = ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE name = ?1)`).bind(name),
    ),
  ]);
}

export interface JobRow {
  readonly name: string;
  readonly firstSeenAt: number;
  readonly about: About | null;
}

type StoredJob = Omit<JobRow, 'about'> & { readonly about: string | null };

const SELECT_JOBS = `SELECT name, first_seen_at AS "firstSeenAt",
    (SELECT about FROM job_abouts WHERE job_abouts.job = jobs.name) AS about
  FROM jobs`;

export interface JobListFilter {
  /** The jobs that the caller may see. */
  readonly jobGlob: string;
  /** Only jobs with this tag. */
  readonly tag?: string | undefined;
}

/** Matching jobs, sorted by name, after `after`. */
export async function listJobs(
  db: D1Database,
  { jobGlob, tag }: JobListFilter,
  after: string,
  limit: number,
): Promise<JobRow[]> {
  const [condition, value] = matching('name', jobGlob);
  const hasTag = tag === undefined ? '' : `AND ${JOB_HAS_TAG}`;
  const { results } = await db
    .prepare(`${SELECT_JOBS} WHERE ${condition} AND name > ? ${hasTag} ORDER BY name LIMIT ?`)
    .bind(value, after, ...(tag === undefined ? [] : [tag]), limit)
    .all<StoredJob>();
  return results.map(jobRow);
}

export interface JobFilter {
  /** The jobs that the caller may see. */
  readonly jobGlob: string;
  /** Globs, any of which must match; undefined matches everything. */
  readonly jobs: readonly string[] | undefined;
  readonly except: readonly string[];
}

/** The names of matching jobs, sorted. */
export async function jobNames(db: D1Database, { jobGlob, jobs, except }: JobFilter, limit: number): Promise<string[]> {
  const conditions = [matching('name', jobGlob), ...(jobs === undefined ? [] : [matchingOneOf('name', jobs)])];
  const { results } = await db
    .prepare(
      `SELECT name FROM jobs WHERE ${conditions.map(([condition]) => condition).join(' AND ')}
         AND name NOT IN (SELECT value FROM json_each(?)) ORDER BY name LIMIT ?`,
    )
    .bind(...conditions.map(([, value]) => value), JSON.stringify(except), limit)
    .all<{ name: string }>();
  return results.map(({ name }) => name);
}

export async function findJob(db: D1Database, name: string): Promise<JobRow | null> {
  const found = await db.prepare(`${SELECT_JOBS} WHERE name = ?`).bind(name).first<StoredJob>();
  return found === null ? null : jobRow(found);
}

function jobRow({ about, ...job }: StoredJob): JobRow {
  return { ...job, about: readAbout(about) };
}

/** A job is due for a check if it was last checked before these times. */
export interface UncheckedSince {
  /** For jobs with live runs. */
  readonly live: number;
  /** For all others. */
  readonly idle: number;
}

/** Jobs that are due for a check, longest waiting first. */
export async function uncheckedJobs(db: D1Database, since: UncheckedSince, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT name FROM jobs WHERE checked_at < ? OR checked_at < ?
         AND EXISTS (SELECT 1 FROM runs WHERE final = 0 AND runs.job = jobs.name AND runs.state IN (${quoted(LIVE_STATES)}))
       ORDER BY checked_at LIMIT ?`,
    )
    .bind(since.idle, since.live, limit)
    .all<{ name: string }>();
  return results.map(({ name }) => name);
}

/** Records when jobs were last checked. */
export function markChecked(db: D1Database, names: readonly string[], checkedAt: number): D1PreparedStatement {
  return db
    .prepare('UPDATE jobs SET checked_at = ? WHERE name IN (SELECT value FROM json_each(?))')
    .bind(checkedAt, JSON.stringify(names));
}
