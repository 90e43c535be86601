/** Run ids that several jobs have reported. */
import { ulid } from 'ulid';
import type { RunName } from './runs.ts';

/** How many other jobs are read: a client may report an id under a thousand names. */
const MAX_OTHERS = 10;
const HOUR_MS = 60 * 60 * 1000;
/** Conflicts must not fill the audit log: the rest share one entry. */
const MAX_ENTRIES_PER_HOUR = 20;
/** In place of the job, in an entry for the rest. */
const MANY = 'many';

/** A run in the index, and another job's run with the same id if there is one. */
export interface IndexedRun extends RunName {
  readonly machine: string;
  readonly seq: number;
  readonly otherJob: string | null;
  readonly otherMachine: string | null;
  /** 1: the other job's run was reported first. */
  readonly isSecond: number;
}

/** Runs as the index has them: one row for each other job with the same run id, or one row if there is none. */
export function indexedRuns(db: D1Database, runs: readonly RunName[]): D1PreparedStatement {
  return db
    .prepare(
      // The one that was inserted first, or in the same batch the first by name.
      `SELECT own.id, own.job, own.machine, own.seq, other.job AS "otherJob", other.machine AS "otherMachine",
         coalesce((other.indexed_at, other.job) < (own.indexed_at, own.job), 0) AS "isSecond"
       FROM json_each(?) AS given JOIN runs AS own ON own.id = given.value ->> 'id' AND own.job = given.value ->> 'job'
       LEFT JOIN runs AS other ON other.id = own.id AND other.job IN (
         SELECT job FROM runs WHERE id = own.id AND job <> own.job ORDER BY job LIMIT ${MAX_OTHERS})`,
    )
    .bind(JSON.stringify(runs.map(({ id, job }) => ({ id, job }))));
}

/** A run that was reported with the id of another job's earlier run. */
export interface RunIdConflict extends RunName {
  readonly machine: string;
  readonly first: { readonly job: string; readonly machine: string };
}

/** Writes an audit entry for each conflict that has none. */
export function auditRunIdConflicts(
  db: D1Database,
  conflicts: readonly RunIdConflict[],
  now: number,
): D1PreparedStatement[] {
  const insert = (
    entry: { subject: string; detail: object; gathered: string },
    condition: string,
    ...values: string[]
  ) =>
    db
      .prepare(
        `INSERT INTO audit (id, at, last_at, count, action, subject, detail, request_id, gathered)
         SELECT ?1, ?2, ?2, 1, 'run_conflict', ?3, ?4, '', ?5 WHERE ${condition} ON CONFLICT DO NOTHING`,
      )
      .bind(ulid(now), now, entry.subject, JSON.stringify(entry.detail), entry.gathered, ...values);
  const hasRoom = `(SELECT count(*) FROM (
      SELECT at FROM audit WHERE action = 'run_conflict' AND action <> 'kill' ORDER BY seq DESC LIMIT ${MAX_ENTRIES_PER_HOUR})
    WHERE at > ?2 - ${HOUR_MS}) < ${MAX_ENTRIES_PER_HOUR}`;
  const hadNoRoom = 'NOT EXISTS (SELECT 1 FROM audit WHERE gathered = ?6)';
  return conflicts.flatMap(({ id, job, machine, first }) => {
    const gathered = `run_conflict|${job}|${id}`;
    const detail = { run: id, machine, first_job: first.job, first_machine: first.machine };
    const over = { subject: MANY, detail: {}, gathered: `run_conflict over ${Math.floor(now / HOUR_MS)}` };
    return [insert({ subject: job, detail, gathered }, hasRoom), insert(over, hadNoRoom, gathered)];
  });
}
