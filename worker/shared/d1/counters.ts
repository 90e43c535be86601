/**
 * Counts what happens, in the batch that writes it to the index and before it is written: a change that is sent again
 * finds the index as it left it, and so each counts once.
 */
import type { Kill, Run } from '#protocol/api';

/** A bucket of the time that kills take holds what took at most so many seconds, and longer than the one before. */
export const KILL_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** Counts the runs that this will end, by state. `runs` must not contain duplicates. */
export function countEnds(db: D1Database, runs: readonly Run[]): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE counters SET value = value + ended.count FROM (
         SELECT given.value ->> 'state' AS state, count(*) AS count FROM json_each(?) AS given
         LEFT JOIN runs ON runs.id = given.value ->> 'id' AND runs.job = given.value ->> 'job'
         WHERE runs.id IS NULL OR (runs.seq < given.value ->> 'seq' AND runs.state <> given.value ->> 'state')
         GROUP BY 1) AS ended
       WHERE name = 'runs_ended' AND label = ended.state`,
    )
    .bind(JSON.stringify(runs.map(({ id, job, state, seq }) => ({ id, job, state, seq }))));
}

/** Counts the new runs whose id another job has reported before. */
export function countRunIdConflicts(db: D1Database, runs: readonly Run[]): D1PreparedStatement {
  const jobs = new Map<string, string>();
  const given = runs.map(({ id, job }) => {
    const isSecond = (jobs.get(id) ?? job) !== job;
    jobs.set(id, jobs.get(id) ?? job);
    return { id, job, second: isSecond };
  });
  return db
    .prepare(
      `UPDATE counters SET value = value + conflicts.count FROM (
         SELECT count(*) AS count FROM json_each(?) AS given
         WHERE NOT EXISTS (SELECT 1 FROM runs WHERE id = given.value ->> 'id' AND job = given.value ->> 'job')
           AND (given.value ->> 'second' = 1 OR EXISTS (SELECT 1 FROM runs WHERE id = given.value ->> 'id'))) AS conflicts
       WHERE name = 'run_id_conflicts' AND conflicts.count > 0`,
    )
    .bind(JSON.stringify(given));
}

/**
 * Counts the kills that this will take out of the queue, and those that it will settle, by the time that they took: by
 * D1's clock, since that is when it learns of the end. Only those that ended something: a target that had ended before, or
 * that nobody could reach, took no time.
 */
export function countKills(db: D1Database, kills: readonly Kill[]): D1PreparedStatement {
  const given = kills.map(({ id, seq, state, targets }) => ({
    id,
    seq,
    settled: state === 'settled' && targets.some((target) => target.state === 'gone'),
  }));
  const bucket = KILL_SECONDS.map((bound) => `WHEN seconds <= ${bound} THEN '${bound}'`).join(' ');
  return db
    .prepare(
      `UPDATE counters SET value = value + changed.count, total = total + changed.seconds FROM (
         WITH changing AS (
           SELECT kills.state, kills.accepted, given.value ->> 'settled' AS settled,
             max(0, unixepoch('subsec') - kills.requested_at / 1000.0) AS seconds
           FROM json_each(?) AS given JOIN kills ON kills.id = given.value ->> 'id'
           WHERE kills.seq < given.value ->> 'seq')
         SELECT 'kills' AS name, '' AS label, count(*) AS count, 0 AS seconds FROM changing WHERE accepted = 0
         UNION ALL
         SELECT 'kill_seconds', CASE ${bucket} ELSE '+Inf' END AS label, count(*), sum(seconds) FROM changing
         WHERE settled = 1 AND state <> 'settled' GROUP BY label) AS changed
       WHERE counters.name = changed.name AND counters.label = changed.label AND changed.count > 0`,
    )
    .bind(JSON.stringify(given));
}
