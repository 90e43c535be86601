/**
 * Counts what happens, in the batch that writes it to the index and before it is written: a change that is sent again
 * finds the index as it left it, and so each counts once.
 */
import type { Kill, Run } from '#protocol/api';
import { LIVE_STATES } from '#protocol/run-state';
import { quoted } from './quoted.ts';

/** A bucket of the time that kills take holds what took at most so many seconds, and longer than the one before. */
const KILL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** The ends of runs, by state: those that this will end. ?1 are the runs. */
const ENDS = `
  SELECT 'runs_ended/' || (given.value ->> 'state') AS name, count(*) AS value FROM json_each(?1) AS given
  LEFT JOIN runs ON runs.id = given.value ->> 'id' AND runs.job = given.value ->> 'job'
  WHERE (given.value ->> 'state') NOT IN (${quoted(LIVE_STATES)})
    AND (runs.id IS NULL OR (runs.seq < given.value ->> 'seq' AND runs.state <> given.value ->> 'state'))
  GROUP BY 1`;

/** The new runs whose id another job has reported before. */
const RUN_ID_CONFLICTS = `
  SELECT 'run_id_conflicts', count(*) FROM json_each(?1) AS given
  WHERE NOT EXISTS (SELECT 1 FROM runs WHERE id = given.value ->> 'id' AND job = given.value ->> 'job')
    AND (given.value ->> 'second' = 1 OR EXISTS (SELECT 1 FROM runs WHERE id = given.value ->> 'id'))
  HAVING count(*) > 0`;

const BUCKET = KILL_SECONDS.map((bound) => `WHEN seconds <= ${bound} THEN '${bound}'`).join(' ');

/**
 * The kills that this will take out of the queue, and those that it will settle, by the time that they took: by D1's clock,
 * since that is when it learns of the end. Only those that ended something: a target that had ended before, or that nobody
 * could reach, took no time. ?2 are the kills.
 */
const CHANGING_KILLS = `
  SELECT kills.accepted, given.value ->> 'settled' = 1 AND kills.state <> 'settled' AS settles,
    max(0, unixepoch('subsec') - kills.requested_at / 1000.0) AS seconds
  FROM json_each(?2) AS given JOIN kills ON kills.id = given.value ->> 'id' WHERE kills.seq < given.value ->> 'seq'`;
const KILLS = `
  SELECT 'kills', count(*) FROM changing_kills WHERE accepted = 0 HAVING count(*) > 0
  UNION ALL
  SELECT 'kill_seconds/' || CASE ${BUCKET} ELSE '+Inf' END, count(*) FROM changing_kills WHERE settles GROUP BY 1
  UNION ALL
  SELECT 'kill_seconds_sum', sum(seconds) FROM changing_kills WHERE settles HAVING count(*) > 0`;

/** Counts what these changes will change. Neither `runs` nor `kills` must contain duplicates. */
export function countChanges(db: D1Database, runs: readonly Run[], kills: readonly Kill[]): D1PreparedStatement {
  return db
    .prepare(
      `WITH changing_kills AS (${CHANGING_KILLS}),
         changed (name, value) AS MATERIALIZED (${ENDS} UNION ALL ${RUN_ID_CONFLICTS} UNION ALL ${KILLS})
       UPDATE counters SET counts = (
         SELECT json_group_object(name, value) FROM (
           SELECT name, sum(value) AS value FROM (
             SELECT key AS name, value FROM json_each(counters.counts) UNION ALL SELECT name, value FROM changed)
           GROUP BY name))
       WHERE EXISTS (SELECT 1 FROM changed)`,
    )
    .bind(JSON.stringify(countedRuns(runs)), JSON.stringify(kills.map(countedKill)));
}

function countedRuns(runs: readonly Run[]) {
  const jobs = new Map<string, string>();
  return runs.map(({ id, job, state, seq }) => {
    const isSecond = (jobs.get(id) ?? job) !== job;
    jobs.set(id, jobs.get(id) ?? job);
    return { id, job, state, seq, second: isSecond };
  });
}

function countedKill({ id, seq, state, targets }: Kill) {
  return { id, seq, settled: state === 'settled' && targets.some((target) => target.state === 'gone') };
}
