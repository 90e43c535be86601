/**
 * Lists of runs, newest start first. What a list costs goes by what it shows, not by how much has ever run: each is read
 * from an index that leads there.
 */
import type { Run } from '#protocol/api';
import { isLive, type RunState } from '#protocol/run-state';
import { matching } from './glob.ts';
import { readRun } from './runs.ts';

/** Where a list of runs goes on: after this one. */
export interface RunPosition {
  readonly startedAt: number;
  readonly id: string;
  readonly job: string;
}

export interface RunFilter {
  /** The jobs that the caller may read. */
  readonly jobGlob: string;
  readonly job?: string | undefined;
  readonly machine?: string | undefined;
  readonly instance?: string | undefined;
  readonly states?: readonly RunState[] | undefined;
  /** Not those that had ended before this time. */
  readonly since?: number | undefined;
  /** Only those that had started before this time. */
  readonly until?: number | undefined;
  readonly after?: RunPosition | undefined;
}

/** A run with its place in the list. */
export type ListedRun = RunPosition & { readonly run: Run };

export async function listRuns(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const { since, after } = filter;
  if (filter.states?.every(isLive)) return liveRuns(db, filter, limit);
  if (since === undefined) return runsByStart(db, filter, limit);
  // First those that started in the time asked for, then the older ones that were still alive: in the order of the list.
  const started = after !== undefined && after.startedAt < since ? [] : await runsByStart(db, filter, limit);
  if (started.length === limit) return started;
  return [...started, ...(await runsAliveAt(db, since, filter, limit - started.length))];
}

const NEWEST_FIRST = 'started_at DESC, id DESC, job DESC';

/** A condition with the values to bind. */
type Condition = readonly [condition: string, ...values: (string | number)[]];

/** Runs that started in the time asked for. */
function runsByStart(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const since: Condition[] = filter.since === undefined ? [] : [['started_at >= ?', filter.since]];
  return select(db, 'runs', [...conditions(filter), ...since], limit);
}

/** Of one job they have an index together with those that may come back. */
function liveRuns(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  return filter.job === undefined
    ? select(db, 'runs INDEXED BY runs_by_span', [['span = 0'], ...conditions(filter)], limit)
    : select(db, 'runs INDEXED BY runs_open', [['final = 0'], ...conditions(filter)], limit);
}

/** As schema.sql has them. The last has no bound. */
const LIVE_SPAN = 0;
const ENDED_SPANS_MS = [...Array.from({ length: 9 }, (_, index) => 60_000 * 4 ** index), 1e15];

/**
 * Runs that had started before a moment and ended after it, or have not ended.
 *
 * No index finds what began before and ended after. But of those that took less than four minutes, only what started in
 * the four minutes before can be among them; and so on for longer ones.
 */
async function runsAliveAt(db: D1Database, moment: number, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const mayLive = filter.states === undefined || filter.states.some(isLive);
  const spans = [...(mayLive ? [LIVE_SPAN] : []), ...ENDED_SPANS_MS].map((span) => ({
    span,
    from: span === LIVE_SPAN ? 0 : Math.max(0, moment - span),
  }));
  const all: Condition[] = [
    ['(ended_at IS NULL OR ended_at >= ?)', moment],
    // Those that started later are in the list already.
    ...conditions({ ...filter, until: moment }),
  ];
  const { results } = await db
    .prepare(
      // Newest first of each span, so that a page reads no more than so many of each.
      `SELECT started_at AS "startedAt", runs.id, runs.job, resource FROM json_each(?) AS spans JOIN runs ON runs.rowid IN (
         SELECT rowid FROM runs INDEXED BY runs_by_span
         WHERE span = spans.value ->> 'span' AND started_at >= spans.value ->> 'from' AND ${conjunction(all)}
         ORDER BY ${NEWEST_FIRST} LIMIT ?)
       ORDER BY started_at DESC, runs.id DESC, runs.job DESC LIMIT ?`,
    )
    .bind(JSON.stringify(spans), ...valuesOf(all), limit, limit)
    .all<ListRow>();
  return results.map(listedRun);
}

function conditions(filter: RunFilter): Condition[] {
  const { jobGlob, job, machine, instance, states, until, after } = filter;
  return [
    ...(jobGlob === '*' ? [] : [matching('job', jobGlob)]),
    ...(job === undefined ? [] : [['job = ?', job] as const]),
    ...(machine === undefined ? [] : [['machine = ?', machine] as const]),
    ...(instance === undefined ? [] : [["resource ->> '$.instance' = ?", instance] as const]),
    ...(states === undefined ? [] : [['state IN (SELECT value FROM json_each(?))', JSON.stringify(states)] as const]),
    ...latestStart(until, after),
    ...(after === undefined
      ? []
      : [['(started_at, id, job) < (?, ?, ?)', after.startedAt, after.id, after.job] as const]),
  ];
}

/** One bound, where there are two to choose from: SQLite would begin at the first it sees, and read every page before. */
function latestStart(until: number | undefined, after: RunPosition | undefined): Condition[] {
  const latest = Math.min(
    until === undefined ? Number.POSITIVE_INFINITY : until - 1,
    after?.startedAt ?? Number.POSITIVE_INFINITY,
  );
  return latest === Number.POSITIVE_INFINITY ? [] : [['started_at <= ?', latest]];
}

function conjunction(all: readonly Condition[]): string {
  return all.map(([condition]) => condition).join(' AND ');
}

function valuesOf(all: readonly Condition[]): (string | number)[] {
  return all.flatMap(([, ...values]) => values);
}

interface ListRow extends RunPosition {
  readonly resource: string;
}

async function select(db: D1Database, from: string, all: readonly Condition[], limit: number): Promise<ListedRun[]> {
  const where = all.length === 0 ? '' : `WHERE ${conjunction(all)}`;
  const { results } = await db
    .prepare(
      `SELECT started_at AS "startedAt", id, job, resource FROM ${from} ${where} ORDER BY ${NEWEST_FIRST} LIMIT ?`,
    )
    .bind(...valuesOf(all), limit)
    .all<ListRow>();
  return results.map(listedRun);
}

function listedRun({ resource, ...position }: ListRow): ListedRun {
  return { ...position, run: readRun(resource) };
}
