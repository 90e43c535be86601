/**
 * What a report is made of, read from indexes: a day of a large fleet costs a bounded number of rows.
 *
 * Runs that ended badly, were skipped, or left something behind are in indexes of their own, which other runs are not in.
 * For how long runs took there is none: the newest runs of the period are read, and beyond them those of four minutes and
 * longer, which `runs_by_span` has.
 */
import * as v from 'valibot';
import { About } from '#protocol/about';
import { Expectation, OverdueRun } from '#protocol/expectations';
import { EXIT_KILLED } from '#protocol/run-state';
import { firstUlid } from './first-ulid.ts';
import { matching } from './glob.ts';
import { ENDED_SPANS_MS, type RunName } from './runs.ts';

/** Of each kind of end the newest are read. */
const MOST_ENDS = 2_000;
/** Of all runs of the period the newest are read. */
const MOST_RUNS = 5_000;
/** Longer ones beyond them, of each span. */
const MOST_LONG_RUNS = 300;
const MOST_OPEN_RUNS = 2_000;
const MOST_KILLS = 300;
const MOST_TARGETS = 2_000;
const MOST_EXPECTATIONS = 500;
const MOST_OVERDUE_RUNS = 2_000;
/** Those that began before the end of a past period, and ended after it. */
const MOST_LASTING = 500;

/** Shorter runs are not compared with others. */
export const COMPARED_FROM_MS = 60_000;

/** Must match the WHERE clauses of the partial indexes exactly. */
const IS_BAD = "state IN ('failed', 'timed_out', 'errored', 'skipped')";
const IS_REMARKABLE = "(resource ->> '$.left_running' <> '[]' OR resource ->> '$.slow_since' IS NOT NULL)";

export interface ReportScope {
  /** The jobs that the caller may read. */
  readonly jobGlob: string;
  readonly since: number;
  readonly until: number;
}

/** A run, and when it did what it is reported for. */
export interface RunRow extends RunName {
  readonly machine: string;
  readonly at: number;
}

export interface EndRow extends RunRow {
  readonly state: string;
}

export interface RemarkableRow extends RunRow {
  readonly leftProcesses: 0 | 1;
  readonly isSlow: 0 | 1;
  readonly isAlive: 0 | 1;
}

export interface LongRun extends RunName {
  readonly machine: string;
  readonly startedAt: number;
  /** Null: it is alive. */
  readonly tookMs: number | null;
}

/** A run that an operator's kill has ended, or of which it left processes. */
export interface KilledRow extends RunName {
  readonly machine: string;
  readonly kill: string;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly isKilled: 0 | 1;
  readonly hasSurvivors: 0 | 1;
}

/** The runs of the period that were looked at. */
export interface Scanned {
  readonly runs: number;
  readonly jobs: number;
  readonly machines: number;
  /** When the first of them started, if there were more than are read; otherwise null. */
  readonly from: number | null;
}

export interface ReportData {
  readonly ends: readonly EndRow[];
  readonly remarkable: readonly RemarkableRow[];
  readonly long: readonly LongRun[];
  readonly killed: readonly KilledRow[];
  /** What is late or missed now. */
  readonly expectations: readonly Expectation[];
  /** What was late or missed. */
  readonly overdueRuns: readonly OverdueRun[];
  readonly scanned: Scanned;
  /** Whether there was more of something than is read. */
  readonly isTruncated: boolean;
}

export async function readReport(db: D1Database, scope: ReportScope): Promise<ReportData> {
  const states = ['failed', 'timed_out', 'errored', 'skipped'] as const;
  const results = await db.batch([
    newestRuns(db, scope),
    ...states.map((state) => badEnds(db, scope, state)),
    lostForGood(db, scope),
    lostAndOpen(db, scope),
    remarkableEnds(db, scope),
    remarkableAlive(db, scope),
    longRuns(db, scope),
    liveRuns(db, scope),
    killedRuns(db, scope),
    brokenExpectations(db, scope),
    overdueRuns(db, scope),
  ]);
  const [scan, failed, timedOut, errored, skipped, lost, lostOpen, remarkable, slow, long, live, killed, ...late] =
    results.map(({ results: rows }) => rows);
  const [broken, overdue] = late;
  const ends = [failed, timedOut, errored, skipped, lost, lostOpen].map((rows) => (rows ?? []) as EndRow[]);
  const { scanned, longRuns: longOfNewest } = readNewestRuns((scan ?? []) as ScanRow[]);
  const isFull = (rows: readonly unknown[] | undefined, most: number) => (rows?.length ?? 0) >= most;
  return {
    ends: ends.flat(),
    remarkable: [...(remarkable ?? []), ...(slow ?? [])] as RemarkableRow[],
    long: distinct([...longOfNewest, ...((long ?? []) as LongRun[]), ...((live ?? []) as LongRun[])]),
    killed: (killed ?? []) as KilledRow[],
    expectations: readResources(Expectation, broken),
    overdueRuns: readResources(OverdueRun, overdue),
    scanned,
    isTruncated:
      ends.some((rows) => isFull(rows, MOST_ENDS)) ||
      isFull(remarkable, MOST_ENDS) ||
      isFull(killed, MOST_TARGETS) ||
      isFull(broken, MOST_EXPECTATIONS) ||
      isFull(overdue, MOST_OVERDUE_RUNS),
  };
}

function distinct(runs: readonly LongRun[]): LongRun[] {
  return [...new Map(runs.map((run) => [`${run.job}/${run.id}`, run])).values()];
}

function readResources<Resource extends v.GenericSchema>(
  schema: Resource,
  rows: readonly unknown[] = [],
): v.InferOutput<Resource>[] {
  return (rows as { resource: string }[]).map(({ resource }) => v.parse(schema, JSON.parse(resource)));
}

/** The condition that a job is visible to the caller, with the value to bind. */
function visible({ jobGlob }: ReportScope, column = 'job'): [condition: string, value: string] {
  return matching(column, jobGlob);
}

function badEnds(db: D1Database, scope: ReportScope, state: string): D1PreparedStatement {
  return newestEnds(db, scope, { columns: 'state', index: 'runs_bad', condition: `${IS_BAD} AND state = ?` }, state);
}

function lostForGood(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const condition = "state = 'lost' AND final = 1";
  return newestEnds(db, scope, { columns: 'state', index: 'runs_lost', condition });
}

interface Ends {
  readonly columns: string;
  readonly index: string;
  readonly condition: string;
}

/** The newest ends of the period that an index has. @param values of the condition */
function newestEnds(
  db: D1Database,
  scope: ReportScope,
  { columns, index, condition }: Ends,
  ...values: readonly string[]
): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT id, job, machine, ended_at AS at, ${columns} FROM runs INDEXED BY ${index}
       WHERE ${condition} AND ended_at >= ? AND ended_at < ? AND ${isVisible}
       ORDER BY ended_at DESC LIMIT ${MOST_ENDS}`,
    )
    .bind(...values, scope.since, scope.until, glob);
}

/** Those that may come back. */
function lostAndOpen(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT id, job, machine, state, ended_at AS at FROM runs WHERE (id, job) IN (
         SELECT id, job FROM runs INDEXED BY runs_open WHERE final = 0 AND state = 'lost' AND ${isVisible}
         LIMIT ${MOST_ENDS})
       AND ended_at >= ? AND ended_at < ?`,
    )
    .bind(glob, scope.since, scope.until);
}

/** Related processes, which are listed as well, are not the run's own. */
const REMARKS = `resource ->> '$.slow_since' IS NOT NULL AS "isSlow",
  EXISTS (SELECT 1 FROM json_each(resource, '$.left_running') WHERE value ->> '$.relation' IS NULL) AS "leftProcesses"`;

function remarkableEnds(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const columns = `0 AS "isAlive", ${REMARKS}`;
  return newestEnds(db, scope, { columns, index: 'runs_remarkable', condition: IS_REMARKABLE });
}

/** Those that take longer than expected now. */
function remarkableAlive(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT id, job, machine, started_at AS at, 1 AS "isAlive", ${REMARKS} FROM runs INDEXED BY runs_remarkable
       WHERE ${IS_REMARKABLE} AND ended_at IS NULL AND started_at < ? AND ${isVisible} LIMIT ${MOST_ENDS}`,
    )
    .bind(scope.until, glob);
}

/** The first row says how many were read. The others are of a job on a machine. */
interface ScanRow {
  readonly job: string | null;
  readonly machine: string | null;
  readonly runs: number;
  readonly first: number | null;
  /** JSON: `[id, start, duration]` of those that are compared. */
  readonly long: string | null;
}

function newestRuns(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope, 'newest.job');
  return db
    .prepare(
      `WITH newest AS MATERIALIZED (
         SELECT id, job, started_at FROM runs INDEXED BY runs_by_start WHERE started_at >= ?1 AND started_at < ?2
         ORDER BY started_at DESC, id DESC, job DESC LIMIT ${MOST_RUNS})
       SELECT NULL AS job, NULL AS machine, count(*) AS runs, min(started_at) AS first, NULL AS long FROM newest
       UNION ALL
       SELECT runs.job, machine, count(*), NULL,
         json_group_array(json_array(runs.id, runs.started_at, ended_at - runs.started_at))
           FILTER (WHERE state = 'succeeded' AND ended_at - runs.started_at >= ${COMPARED_FROM_MS})
       FROM newest JOIN runs ON runs.id = newest.id AND runs.job = newest.job
       WHERE ${isVisible.replace('?', '?3')} GROUP BY runs.job, machine`,
    )
    .bind(scope.since, scope.until, glob);
}

const LongRuns = v.array(v.tuple([v.string(), v.number(), v.number()]));

function readNewestRuns([read, ...groups]: readonly ScanRow[]): { scanned: Scanned; longRuns: LongRun[] } {
  const scanned: Scanned = {
    runs: groups.reduce((sum, { runs }) => sum + runs, 0),
    jobs: new Set(groups.map(({ job }) => job)).size,
    machines: new Set(groups.map(({ machine }) => machine)).size,
    from: read !== undefined && read.runs >= MOST_RUNS ? read.first : null,
  };
  const longRuns = groups.flatMap(({ job, machine, long }) =>
    v.parse(LongRuns, JSON.parse(long ?? '[]')).map(([id, startedAt, tookMs]) => ({
      id,
      job: job ?? '',
      machine: machine ?? '',
      startedAt,
      tookMs,
    })),
  );
  return { scanned, longRuns };
}

/** Those of four minutes and longer that ended in the period, also if they are not among the newest. */
function longRuns(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  const spans = ENDED_SPANS_MS.map((span) => ({ span, from: Math.max(0, scope.since - span) }));
  return db
    .prepare(
      `SELECT runs.id, runs.job, runs.machine, runs.started_at AS "startedAt", runs.ended_at - runs.started_at AS "tookMs"
       FROM json_each(?) AS spans JOIN runs ON (runs.id, runs.job) IN (
         SELECT id, job FROM runs INDEXED BY runs_by_span
         WHERE span IS NOT NULL AND span = spans.value ->> 'span' AND started_at >= spans.value ->> 'from'
           AND started_at < ? AND ended_at >= ? AND ended_at < ? AND ${isVisible}
         ORDER BY started_at DESC, id DESC, job DESC LIMIT ${MOST_LONG_RUNS})
       WHERE state = 'succeeded'`,
    )
    .bind(JSON.stringify(spans), scope.until, scope.since, scope.until, glob);
}

function liveRuns(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT id, job, machine, started_at AS "startedAt", NULL AS "tookMs" FROM runs INDEXED BY runs_open
       WHERE final = 0 AND state IN ('running', 'killing') AND started_at < ? AND ${isVisible} LIMIT ${MOST_OPEN_RUNS}`,
    )
    .bind(scope.until - COMPARED_FROM_MS, glob);
}

/** Of the kills of the period: ids begin with the time. */
function killedRuns(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT kill, job, requested_by AS "requestedBy", reason, value ->> '$.run' AS id, value ->> '$.machine' AS machine,
         value ->> '$.exit_code' = ${EXIT_KILLED} AND value ->> '$.state' = 'gone' AS "isKilled",
         json_array_length(value, '$.survivors') > 0 OR coalesce(value ->> '$.unnamed_survivors', 0) AS "hasSurvivors"
       FROM (SELECT id AS kill, job, resource ->> '$.requested_by' AS requested_by, resource ->> '$.reason' AS reason,
               resource -> '$.targets' AS targets
             FROM kills WHERE id >= ? AND id < ? AND ${isVisible} ORDER BY id DESC LIMIT ${MOST_KILLS}) AS recent,
         json_each(recent.targets)
       WHERE "isKilled" OR "hasSurvivors" LIMIT ${MOST_TARGETS}`,
    )
    .bind(firstUlid(scope.since), firstUlid(scope.until), glob);
}

/** What is late or missed now, whenever that began. */
function brokenExpectations(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  return db
    .prepare(
      `SELECT resource FROM expectations INDEXED BY expectations_broken
       WHERE state IN ('late', 'missed') AND since < ? AND ${isVisible} ORDER BY since DESC LIMIT ${MOST_EXPECTATIONS}`,
    )
    .bind(scope.until, glob);
}

/** What was late or missed at some time of the period, whenever that began and ended. */
function overdueRuns(db: D1Database, scope: ReportScope): D1PreparedStatement {
  const [isVisible, glob] = visible(scope);
  const matches = isVisible.replace('?', '?3');
  return db
    .prepare(
      `WITH ended AS (
         SELECT * FROM (
           SELECT job, machine, judged_at FROM overdue_runs INDEXED BY overdue_runs_by_end
           WHERE ended_at >= ?1 AND ended_at < ?2 AND ${matches} ORDER BY ended_at DESC LIMIT ${MOST_OVERDUE_RUNS})
         UNION ALL SELECT * FROM (
           SELECT job, machine, judged_at FROM overdue_runs INDEXED BY overdue_runs_by_end
           WHERE ended_at >= ?2 AND ${matches} ORDER BY ended_at LIMIT ${MOST_LASTING}))
       SELECT resource FROM overdue_runs WHERE (job, machine, judged_at) IN ended AND judged_at < ?2`,
    )
    .bind(scope.since, scope.until, glob);
}

export interface JobOnMachine {
  readonly job: string;
  readonly machine: string;
}

export interface LastEndRow extends JobOnMachine {
  readonly state: string;
  readonly endedAt: number;
}

/** How jobs ended last on machines. */
export function lastEndsOf(db: D1Database, places: readonly JobOnMachine[]): D1PreparedStatement {
  return db
    .prepare(
      `SELECT last_ends.job, last_ends.machine, state, ended_at AS "endedAt" FROM json_each(?) AS place
       JOIN last_ends ON last_ends.job = place.value ->> 'job' AND last_ends.machine = place.value ->> 'machine'`,
    )
    .bind(JSON.stringify(places.map(({ job, machine }) => ({ job, machine }))));
}

/** What jobs are. */
export function aboutsOf(db: D1Database, jobs: readonly string[]): D1PreparedStatement {
  return db
    .prepare('SELECT job, about FROM job_abouts WHERE job IN (SELECT value FROM json_each(?))')
    .bind(JSON.stringify(jobs));
}

export function readAbouts(rows: readonly unknown[]): ReadonlyMap<string, About> {
  return new Map(
    (rows as { job: string; about: string }[]).map(({ job, about }) => [job, v.parse(About, JSON.parse(about))]),
  );
}

/** Whose earlier runs are asked for, and how many at most. */
export interface HistoryRequest {
  readonly job: string;
  readonly before: number;
  readonly limit: number;
}

export interface EarlierRun extends JobOnMachine {
  readonly startedAt: number;
  readonly tookMs: number;
}

/** The earlier runs of a job that succeeded, among so many of its runs, newest first. */
export function earlierRuns(db: D1Database, { job, before, limit }: HistoryRequest): D1PreparedStatement {
  return db
    .prepare(
      `SELECT job, machine, started_at AS "startedAt", ended_at - started_at AS "tookMs"
       FROM (SELECT job, machine, state, started_at, ended_at FROM runs INDEXED BY runs_by_job
             WHERE job = ? AND started_at < ? ORDER BY started_at DESC, id DESC LIMIT ?)
       WHERE state = 'succeeded'`,
    )
    .bind(job, before, limit);
}

/** The resources of runs. */
export function runsNamed(db: D1Database, names: readonly RunName[]): D1PreparedStatement {
  return db
    .prepare(
      `SELECT resource FROM json_each(?) AS name
       JOIN runs ON runs.id = name.value ->> 'id' AND runs.job = name.value ->> 'job'`,
    )
    .bind(JSON.stringify(names.map(({ id, job }) => ({ id, job }))));
}
