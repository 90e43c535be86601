/** A job's runs as its summary shows them: the last, the live ones, the last ends. */

import * as v from 'valibot';
import { Job, LastEnd, type Run, RunEnd } from '#protocol/api';
import { BAD_END_STATES, END_STATES, isBadEnd } from '#protocol/run-state';
import { quoted } from './quoted.ts';
import { readRun } from './runs.ts';

/** How many live runs, and how many ends, are shown of each job. */
const SHOWN = 20;
/** On how many machines the last end of each job is shown. */
const SHOWN_MACHINES = 300;

export interface JobRuns {
  readonly last: Run | null;
  /** The newest live runs. */
  readonly live: readonly Run[];
  /** How many are live. */
  readonly liveCount: number;
  /** The last ends, newest start first. */
  readonly ends: readonly RunEnd[];
  /** The last end on each machine: first those that need attention, each newest first. */
  readonly lastEnds: readonly LastEnd[];
  readonly lastEndCounts: Job['last_end_counts'];
}

function lastEndsQuery(which: string): string {
  return `SELECT name.value AS job, (SELECT json_group_array(json(ended)) FROM (
      SELECT json_object('machine', machine, 'run', run, 'state', state, 'exit_code', exit_code, 'ended_at', ended_at) AS ended
      FROM last_ends WHERE job = name.value AND ${which} LIMIT ${SHOWN_MACHINES})) AS ends
    FROM json_each(?) AS name`;
}

/**
 * One statement each, for any number of jobs. Live runs are found in the index of open ones, which is small: all of these
 * are live but the lost ones. (SQLite would read a row more for each that it compares with a list of three states.)
 */
export const JOB_RUNS_QUERIES = {
  last: `SELECT name.value AS job, resource FROM json_each(?) AS name JOIN runs ON runs.job = name.value AND runs.id =
    (SELECT id FROM runs WHERE job = name.value ORDER BY started_at DESC, id DESC LIMIT 1)`,
  live: `SELECT name.value AS job, resource FROM json_each(?) AS name JOIN runs ON runs.job = name.value AND runs.id IN (
      SELECT id FROM runs INDEXED BY runs_open WHERE final = 0 AND job = name.value AND state <> 'lost'
      ORDER BY started_at DESC, id DESC LIMIT ${SHOWN})
    ORDER BY started_at DESC, runs.id DESC`,
  liveCounts: `SELECT name.value AS job,
      (SELECT count(*) FROM runs INDEXED BY runs_open WHERE final = 0 AND job = name.value AND state <> 'lost') AS count
    FROM json_each(?) AS name`,
  ends: `SELECT name.value AS job, (SELECT json_group_array(json(ended)) FROM (
      SELECT json_object('run', id, 'machine', machine, 'state', state, 'final', resource -> '$.final', 'exit_code', resource -> '$.exit_code',
        'started_at', resource -> '$.started_at', 'ended_at', resource -> '$.ended_at') AS ended
      FROM runs INDEXED BY runs_by_job WHERE job = name.value AND (final = 1 OR state = 'lost')
      ORDER BY started_at DESC, id DESC LIMIT ${SHOWN})) AS ends
    FROM json_each(?) AS name`,
  // Must match the WHERE clause of the partial index `last_ends_bad` exactly.
  badLastEnds: lastEndsQuery(`state IN (${quoted(BAD_END_STATES)}) ORDER BY ended_at DESC`),
  // In the order of the primary key: sorting would read rows that aren't shown.
  lastEnds: lastEndsQuery('true'),
  lastEndCounts: `SELECT name.value AS job,
      (SELECT json_object(${END_STATES.map((state) => `'${state}', count(*) FILTER (WHERE state = '${state}')`).join(', ')})
      FROM last_ends WHERE job = name.value) AS counts
    FROM json_each(?) AS name`,
} as const;

export async function jobRuns(db: D1Database, jobs: readonly string[]): Promise<ReadonlyMap<string, JobRuns>> {
  if (jobs.length === 0) return new Map();
  const { last, live, liveCounts, ends, badLastEnds, lastEnds, lastEndCounts } = JOB_RUNS_QUERIES;
  const names = JSON.stringify(jobs);
  const queries = [last, live, liveCounts, ends, badLastEnds, lastEnds, lastEndCounts];
  const results = await db.batch(queries.map((query) => db.prepare(query).bind(names)));
  const [lastRuns, liveRuns, counts, endRows, badRows, lastEndRows, lastEndCountRows] = results.map(byJob);
  return new Map(
    jobs.map((job) => [
      job,
      {
        last: lastRuns?.get(job)?.map(runOf)[0] ?? null,
        live: liveRuns?.get(job)?.map(runOf) ?? [],
        liveCount: Number(counts?.get(job)?.[0]?.count ?? 0),
        ends: endRows?.get(job)?.flatMap(endsOf) ?? [],
        lastEnds: shownLastEnds([badRows, lastEndRows].flatMap((rows) => rows?.get(job)?.flatMap(lastEndsOf) ?? [])),
        lastEndCounts: lastEndCountRows?.get(job)?.map(countsOf)[0] ?? NO_ENDS,
      },
    ]),
  );
}

type Row = Readonly<Record<string, string | number | null>>;

function byJob({ results }: D1Result): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of results as Row[]) {
    const group = groups.get(String(row.job));
    if (group === undefined) groups.set(String(row.job), [row]);
    else group.push(row);
  }
  return groups;
}

function runOf({ resource }: Row): Run {
  return readRun(String(resource));
}

function endsOf({ ends }: Row): RunEnd[] {
  return v.parse(v.array(RunEnd), JSON.parse(String(ends)));
}

export const NO_ENDS: Job['last_end_counts'] = {
  succeeded: 0,
  failed: 0,
  killed: 0,
  timed_out: 0,
  lost: 0,
  errored: 0,
  skipped: 0,
};

const LastEndRow = v.object({ ...LastEnd.entries, ended_at: v.number() });

function lastEndsOf({ ends }: Row): LastEnd[] {
  return v
    .parse(v.array(LastEndRow), JSON.parse(String(ends)))
    .map((end) => ({ ...end, ended_at: new Date(end.ended_at).toISOString() }));
}

/** One for each machine, those that need attention first. */
function shownLastEnds(ends: readonly LastEnd[]): LastEnd[] {
  const byMachine = new Map(ends.map((end) => [end.machine, end]));
  return [...byMachine.values()]
    .sort((a, b) => Number(isBadEnd(b.state)) - Number(isBadEnd(a.state)) || (a.ended_at < b.ended_at ? 1 : -1))
    .slice(0, SHOWN_MACHINES);
}

function countsOf({ counts }: Row): Job['last_end_counts'] {
  return v.parse(Job.entries.last_end_counts, JSON.parse(String(counts)));
}
