/** What is shown of the runs of jobs: the newest, those that live, how the last ones ended. */

import * as v from 'valibot';
import { type Run, RunEnd } from '#protocol/api';
import { LIVE_STATES } from '#protocol/run-state';
import { readRun } from './runs.ts';

/** For each job so many of its live runs are shown, and so many of its ends. */
const SHOWN = 20;

export interface RunsOfJob {
  readonly last: Run | null;
  /** The newest that live. */
  readonly live: readonly Run[];
  /** How many live. */
  readonly liveCount: number;
  /** The last that have ended, newest start first. */
  readonly ends: readonly RunEnd[];
}

const LIVE = LIVE_STATES.map((state) => `'${state}'`).join(', ');

/** One statement for each, whatever the number of jobs. Live runs are found among those that are open: few, and by job. */
export const RUNS_OF_JOBS_QUERIES = {
  last: `SELECT name.value AS job, resource FROM json_each(?) AS name JOIN runs ON runs.rowid =
    (SELECT rowid FROM runs WHERE job = name.value ORDER BY started_at DESC, id DESC LIMIT 1)`,
  live: `SELECT name.value AS job, resource FROM json_each(?) AS name JOIN runs ON runs.rowid IN (
      SELECT rowid FROM runs INDEXED BY runs_open WHERE final = 0 AND job = name.value AND state IN (${LIVE})
      ORDER BY started_at DESC, id DESC LIMIT ${SHOWN})
    ORDER BY started_at DESC, runs.id DESC`,
  liveCounts: `SELECT name.value AS job,
      (SELECT count(*) FROM runs INDEXED BY runs_open WHERE final = 0 AND job = name.value AND state IN (${LIVE})) AS count
    FROM json_each(?) AS name`,
  ends: `SELECT name.value AS job, (SELECT json_group_array(json(ended)) FROM (
      SELECT json_object('run', id, 'machine', machine, 'state', state, 'final', resource -> '$.final', 'exit_code', resource -> '$.exit_code',
        'started_at', resource -> '$.started_at', 'ended_at', resource -> '$.ended_at') AS ended
      FROM runs INDEXED BY runs_by_job WHERE job = name.value AND state NOT IN (${LIVE})
      ORDER BY started_at DESC, id DESC LIMIT ${SHOWN})) AS ends
    FROM json_each(?) AS name`,
} as const;

export async function runsOfJobs(db: D1Database, jobs: readonly string[]): Promise<ReadonlyMap<string, RunsOfJob>> {
  if (jobs.length === 0) return new Map();
  const { last, live, liveCounts, ends } = RUNS_OF_JOBS_QUERIES;
  const names = JSON.stringify(jobs);
  const results = await db.batch([last, live, liveCounts, ends].map((query) => db.prepare(query).bind(names)));
  const [lastRuns, liveRuns, counts, endRows] = results.map(byJob);
  return new Map(
    jobs.map((job) => [
      job,
      {
        last: lastRuns?.get(job)?.map(runOf)[0] ?? null,
        live: liveRuns?.get(job)?.map(runOf) ?? [],
        liveCount: Number(counts?.get(job)?.[0]?.count ?? 0),
        ends: endRows?.get(job)?.flatMap(endsOf) ?? [],
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
