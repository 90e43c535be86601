/** Lists of runs, newest start first. Each is read from an index, so its cost depends on what it shows, not on all runs. */
import type { Run } from '#protocol/api';
import { isLive, type RunState } from '#protocol/run-state';
import { matching } from './glob.ts';
import { ENDED_SPANS_MS, LIVE_SPAN, readRun, SHORT_MS } from './runs.ts';

/** A list continues after this run. */
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
  readonly tag?: string | undefined;
  readonly states?: readonly RunState[] | undefined;
  /** Only runs that ended after this time or have not ended. */
  readonly since?: number | undefined;
  /** Only runs that started before this time. */
  readonly until?: number | undefined;
  readonly after?: RunPosition | undefined;
}

export type ListedRun = RunPosition & { readonly run: Run };

export async function listRuns(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const { since, after } = filter;
  if (filter.states?.every(isLive)) return liveRuns(db, filter, limit);
  if (since === undefined) return runsByStart(db, filter, limit);
  // The runs that started in the period come before the older ones that were still alive in it.
  const started = after !== undefined && after.startedAt < since ? [] : await runsByStart(db, filter, limit);
  if (started.length === limit) return started;
  return [...started, ...(await runsAliveAt(db, since, filter, limit - started.length))];
}

const NEWEST_FIRST = 'started_at DESC, id DESC, job DESC';

/** A condition with the values to bind. */
type Condition = readonly [condition: string, ...values: (string | number)[]];

/** Runs that started in the period. */
function runsByStart(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const since: Condition[] = filter.since === undefined ? [] : [['started_at >= ?', filter.since]];
  return select(db, 'runs', [...conditions(filter), ...since], limit);
}

/** For one job there is an index of live and lost runs. */
function liveRuns(db: D1Database, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  return filter.job === undefined
    ? select(db, 'runs INDEXED BY runs_by_span', [['span = 0'], ...conditions(filter)], limit)
    : select(db, 'runs INDEXED BY runs_open', [['final = 0'], ...conditions(filter)], limit);
}

/**
 * Runs that started before a moment and ended after it, or have not ended.
 *
 * No index finds what began before a time and ended after it. But of runs that took less than four minutes, only those that
 * started in the four minutes before can be among them; and so on for longer runs.
 */
async function runsAliveAt(db: D1Database, moment: number, filter: RunFilter, limit: number): Promise<ListedRun[]> {
  const all: Condition[] = [
    ['(ended_at IS NULL OR ended_at >= ?)', moment],
    // Runs that started later are in the list already.
    ...conditions({ ...filter, until: moment }),
  ];
  const short: Condition[] = [['span IS NULL'], ['started_at >= ?', moment - SHORT_MS], ...all];
  const found = await Promise.all([select(db, 'runs', short, limit), runsBySpan(db, moment, filter, all, limit)]);
  return found.flat().sort(newestFirst).slice(0, limit);
}

async function runsBySpan(
  db: D1Database,
  moment: number,
  filter: RunFilter,
  all: readonly Condition[],
  limit: number,
): Promise<ListedRun[]> {
  const mayLive = filter.states === undefined || filter.states.some(isLive);
  const spans = [...(mayLive ? [LIVE_SPAN] : []), ...ENDED_SPANS_MS].map((span) => ({
    span,
    from: span === LIVE_SPAN ? 0 : Math.max(0, moment - span),
  }));
  const { results } = await db
    .prepare(
      // Newest first in each span, so that a page reads at most `limit` of each.
      `SELECT started_at AS "startedAt", runs.id, runs.job, resource
       FROM json_each(?) AS spans JOIN runs ON (runs.id, runs.job) IN (
         SELECT id, job FROM runs INDEXED BY runs_by_span
         WHERE span = spans.value ->> 'span' AND started_at >= spans.value ->> 'from' AND ${conjunction(all)}
         ORDER BY ${NEWEST_FIRST} LIMIT ?)
       ORDER BY started_at DESC, runs.id DESC, runs.job DESC LIMIT ?`,
    )
    .bind(JSON.stringify(spans), ...valuesOf(all), limit, limit)
    .all<ListRow>();
  return results.map(listedRun);
}

function newestFirst(one: RunPosition, other: RunPosition): number {
  if (one.startedAt !== other.startedAt) return other.startedAt - one.startedAt;
  if (one.id !== other.id) return one.id < other.id ? 1 : -1;
  return one.job < other.job ? 1 : -1;
}

const HAS_TAG = "EXISTS (SELECT 1 FROM json_each(resource, '$.about.tags') AS tag WHERE tag.value = ?)";

function conditions(filter: RunFilter): Condition[] {
  const { jobGlob, job, machine, instance, tag, states, until, after } = filter;
  return [
    ...(jobGlob === '*' ? [] : [matching('job', jobGlob)]),
    ...(job === undefined ? [] : [['job = ?', job] as const]),
    ...(machine === undefined ? [] : [['machine = ?', machine] as const]),
    ...(instance === undefined ? [] : [["resource ->> '$.instance' = ?", instance] as const]),
    ...(tag === undefined ? [] : [[HAS_TAG, tag] as const]),
    ...(states === undefined ? [] : [['state IN (SELECT value FROM json_each(?))', JSON.stringify(states)] as const]),
    ...latestStart(until, after),
    ...(after === undefined
      ? []
      : [['(started_at, id, job) < (?, ?, ?)', after.startedAt, after.id, after.job] as const]),
  ];
}

/** A single bound: with two, SQLite would start at the first one, and read every previous page again. */
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
