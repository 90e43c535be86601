/** Runs that were late or missed, and are not any more. They never change. */
import type { OverdueRun } from '#protocol/expectations';

/** Inserts those that are not there yet. For the jobs' objects. */
export function insertOverdueRuns(db: D1Database, overdueRuns: readonly OverdueRun[]): D1PreparedStatement {
  const rows = overdueRuns.map((overdue) => ({
    judged_at: Date.parse(overdue.judged_at),
    ended_at: Date.parse(overdue.ended_at),
    overdue,
  }));
  return db
    .prepare(
      `INSERT INTO overdue_runs (job, machine, judged_at, ended_at, resource)
       SELECT value ->> '$.overdue.job', coalesce(value ->> '$.overdue.machine', ''), value ->> '$.judged_at',
         value ->> '$.ended_at', value -> '$.overdue'
       FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
    )
    .bind(JSON.stringify(rows));
}

/** Removes those that ended before a time, the oldest first. */
export function purgeOverdueRuns(db: D1Database, endedBefore: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM overdue_runs WHERE (job, machine, judged_at) IN (
         SELECT job, machine, judged_at FROM overdue_runs INDEXED BY overdue_runs_by_end
         WHERE ended_at < ? ORDER BY ended_at LIMIT ?)`,
    )
    .bind(endedBefore, limit);
}
