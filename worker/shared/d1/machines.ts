/**
 * Machines, as the index has them: where jobs ended last (`last_ends`), and where runs are open. There is no table of
 * machines: it would cost a row for each run.
 */
import * as v from 'valibot';
import { LastEnd, type Run, RunEnd } from '#protocol/api';
import { Expectation } from '#protocol/expectations';
import { EndOfJob, type Machine, type MachineJob } from '#protocol/machines';
import { BAD_END_STATES, LIVE_STATES } from '#protocol/run-state';
import { matching } from './glob.ts';
import { readRun } from './runs.ts';

/** Of one machine: the jobs that ended last on it come first. */
const MOST_JOBS = 200;
const MOST_RUNNING = 50;
/** How many ends are shown of each job, among how many runs of it on all machines. */
const SHOWN_ENDS = 20;
const SEARCHED_RUNS = 100;
/** Of so many jobs; of the others only the last end. */
const JOBS_WITH_ENDS = 50;

const BAD = listed(BAD_END_STATES);
const LIVE = listed(LIVE_STATES);

function listed(states: readonly string[]): string {
  return states.map((state) => `'${state}'`).join(', ');
}

export interface MachineScope {
  /** The jobs that the caller may read: a machine is shown with these alone. */
  readonly jobGlob: string;
  readonly now: number;
}

export interface MachineFilter extends MachineScope {
  /** Continue after the machine with this name. */
  readonly after: string;
}

/** Sorted by name. */
export async function listMachines(
  db: D1Database,
  { jobGlob, after, now }: MachineFilter,
  limit: number,
): Promise<Machine[]> {
  const [isVisible, glob] = matching('job', jobGlob);
  const { results } = await db
    .prepare(
      `SELECT machine FROM (
         SELECT machine FROM (
           SELECT machine FROM last_ends INDEXED BY last_ends_by_machine
           WHERE machine > ?1 AND ${isVisible.replace('?', '?2')} GROUP BY machine ORDER BY machine LIMIT ?3)
         UNION
         SELECT machine FROM runs INDEXED BY runs_open
         WHERE final = 0 AND machine > ?1 AND ${isVisible.replace('?', '?2')})
       ORDER BY machine LIMIT ?3`,
    )
    .bind(after, glob, limit)
    .all<{ machine: string }>();
  const names = results.map(({ machine }) => machine);
  return describeMachines(db, names, { jobGlob, now });
}

/** Null: no run of a visible job was on it. */
export async function findMachine(db: D1Database, name: string, scope: MachineScope): Promise<Machine | null> {
  const [machine = null] = await describeMachines(db, [name], scope);
  return machine;
}

/** How jobs ended last on each machine, summed up. */
interface EndsRow {
  readonly machine: string;
  readonly jobs: number;
  readonly bad: number;
  readonly endedAt: number;
  /** The run that ended last; null: it was removed. */
  readonly resource: string | null;
}

interface BadEndRow {
  readonly machine: string;
  readonly job: string;
  readonly run: string;
  readonly state: string;
  readonly exit_code: number | null;
  readonly ended_at: number;
}

interface OpenRow {
  readonly machine: string;
  readonly live: number;
  readonly connected: number;
  /** The run that started last. */
  readonly resource: string;
}

async function describeMachines(
  db: D1Database,
  names: readonly string[],
  { jobGlob, now }: MachineScope,
): Promise<Machine[]> {
  if (names.length === 0) return [];
  const [isVisible, glob] = matching('job', jobGlob);
  const queries = [
    // The columns that are in no aggregate are those of the row with the maximum.
    `SELECT last.machine, jobs, bad, last.ended_at AS "endedAt", resource
     FROM (SELECT machine, count(*) AS jobs, count(*) FILTER (WHERE state IN (${BAD})) AS bad,
             max(ended_at) AS ended_at, job, run
           FROM last_ends INDEXED BY last_ends_by_machine
           WHERE machine IN (SELECT value FROM json_each(?)) AND ${isVisible} GROUP BY machine) AS last
     LEFT JOIN runs ON runs.id = last.run AND runs.job = last.job`,
    `SELECT machine, job, run, state, exit_code, max(ended_at) AS ended_at
     FROM last_ends INDEXED BY last_ends_by_machine
     WHERE machine IN (SELECT value FROM json_each(?)) AND ${isVisible} AND state IN (${BAD}) GROUP BY machine`,
    `SELECT machine, count(*) FILTER (WHERE state IN (${LIVE})) AS live, sum(resource ->> '$.connected') AS connected,
       max(started_at), resource
     FROM runs WHERE (id, job) IN (
       SELECT id, job FROM runs INDEXED BY runs_open
       WHERE final = 0 AND machine IN (SELECT value FROM json_each(?)) AND ${isVisible})
     GROUP BY machine`,
  ];
  const json = JSON.stringify(names);
  const [ends, badEnds, open] = await db.batch(queries.map((query) => db.prepare(query).bind(json, glob)));
  const endsByName = byMachine<EndsRow>(ends);
  const badByName = byMachine<BadEndRow>(badEnds);
  const openByName = byMachine<OpenRow>(open);
  return names.flatMap((name) => {
    const known = { ends: endsByName.get(name), bad: badByName.get(name), open: openByName.get(name) };
    return known.ends === undefined && known.open === undefined ? [] : [machineOf(name, known, now)];
  });
}

function byMachine<Row extends { readonly machine: string }>(result: D1Result | undefined): Map<string, Row> {
  return new Map(((result?.results ?? []) as Row[]).map((row) => [row.machine, row]));
}

interface Known {
  readonly ends: EndsRow | undefined;
  readonly bad: BadEndRow | undefined;
  readonly open: OpenRow | undefined;
}

function machineOf(name: string, { ends, bad, open }: Known, now: number): Machine {
  const resource = open?.resource ?? ends?.resource ?? null;
  const newest = resource === null ? null : readRun(resource);
  const isConnected = (open?.connected ?? 0) > 0;
  const openRun = open === undefined ? null : newest;
  return {
    name,
    is_connected: isConnected,
    last_seen_at: timestamp(isConnected ? now : lastSeenAt(openRun, ends?.endedAt ?? 0)),
    running_count: open?.live ?? 0,
    job_count: ends?.jobs ?? 0,
    bad_job_count: ends?.bad ?? 0,
    last_bad_end: bad === undefined ? null : v.parse(EndOfJob, { ...bad, ended_at: timestamp(bad.ended_at) }),
    wrapper: newest?.wrapper ?? null,
    wrapper_version: newest?.wrapper_version ?? null,
    os: newest?.host?.os ?? null,
    node: newest?.host?.node ?? null,
  };
}

/** @param open the newest of its open runs, none of which is connected */
function lastSeenAt(open: Run | null, endedAt: number): number {
  return open === null ? endedAt : Math.max(endedAt, Date.parse(open.disconnected_since ?? open.started_at));
}

function timestamp(at: number): string {
  return new Date(at).toISOString();
}

export interface JobsOfMachine {
  /** The newest first. */
  readonly running: readonly Run[];
  /** Those that need attention first, each with the newest end first. */
  readonly jobs: readonly MachineJob[];
}

type LastEndRow = Omit<BadEndRow, 'machine'>;

/** What runs on a machine, and how jobs ended there. */
export async function jobsOfMachine(db: D1Database, name: string, { jobGlob }: MachineScope): Promise<JobsOfMachine> {
  const [isVisible, glob] = matching('job', jobGlob);
  const [lastEnds, running] = await db.batch([
    db
      .prepare(
        `SELECT job, run, state, exit_code, ended_at FROM last_ends INDEXED BY last_ends_by_machine
         WHERE machine = ? AND ${isVisible} ORDER BY state IN (${BAD}) DESC, ended_at DESC LIMIT ${MOST_JOBS}`,
      )
      .bind(name, glob),
    db
      .prepare(
        `SELECT resource FROM runs WHERE (id, job) IN (
           SELECT id, job FROM runs INDEXED BY runs_open
           WHERE final = 0 AND machine = ? AND state IN (${LIVE}) AND ${isVisible})
         ORDER BY started_at DESC, id DESC LIMIT ${MOST_RUNNING}`,
      )
      .bind(name, glob),
  ]);
  const runs = ((running?.results ?? []) as { resource: string }[]).map(({ resource }) => readRun(resource));
  const ends = (lastEnds?.results ?? []) as LastEndRow[];
  const names = [...new Set([...ends.map(({ job }) => job), ...runs.map(({ job }) => job)])];
  const { recentEnds, expectations } = await describeJobs(db, name, names);
  const lastByJob = new Map(ends.map((end) => [end.job, end]));
  return {
    running: runs,
    jobs: names.map((job) => {
      const last = lastByJob.get(job);
      return {
        job,
        last_end:
          last === undefined ? null : v.parse(LastEnd, { ...last, machine: name, ended_at: timestamp(last.ended_at) }),
        recent_ends: recentEnds.get(job) ?? [],
        expectation: expectations.get(job) ?? null,
      };
    }),
  };
}

/** How jobs ended before on the machine, and when they are due. */
async function describeJobs(db: D1Database, machine: string, jobs: readonly string[]) {
  const [ends, expectations] = await db.batch([
    db
      .prepare(
        `SELECT name.value AS job, (SELECT json_group_array(json(ended)) FROM (
           SELECT json_object('run', id, 'machine', machine, 'state', state, 'final', resource -> '$.final',
             'exit_code', resource -> '$.exit_code', 'started_at', resource -> '$.started_at',
             'ended_at', resource -> '$.ended_at') AS ended
           FROM (SELECT id, machine, state, resource FROM runs INDEXED BY runs_by_job WHERE job = name.value
                 ORDER BY started_at DESC, id DESC LIMIT ${SEARCHED_RUNS})
           WHERE machine = ?2 AND state NOT IN (${LIVE}) LIMIT ${SHOWN_ENDS})) AS ends
         FROM json_each(?1) AS name`,
      )
      .bind(JSON.stringify(jobs.slice(0, JOBS_WITH_ENDS)), machine),
    db
      .prepare(
        `SELECT expectations.job, resource FROM json_each(?1) AS name JOIN expectations
         ON expectations.job = name.value AND expectations.machine IN ('', ?2) ORDER BY expectations.machine`,
      )
      .bind(JSON.stringify(jobs), machine),
  ]);
  const endRows = (ends?.results ?? []) as { job: string; ends: string }[];
  const expectationRows = (expectations?.results ?? []) as { job: string; resource: string }[];
  return {
    recentEnds: new Map(endRows.map((row) => [row.job, v.parse(v.array(RunEnd), JSON.parse(row.ends))])),
    // Sorted: that of the machine comes after that of the job as a whole, and takes its place.
    expectations: new Map(
      expectationRows.map(({ job, resource }) => [job, v.parse(Expectation, JSON.parse(resource))]),
    ),
  };
}
