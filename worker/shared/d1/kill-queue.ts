/** The queue: kills that the jobs' objects have yet to accept. */
import type { Kill } from '#protocol/api';
import { type AuditEntry, recordAudit } from './audit.ts';
import { matching } from './glob.ts';
import { earlierUse, type IdempotencyKey } from './idempotency.ts';
import { readKill } from './kills.ts';
import { findRuns } from './runs.ts';

/** So much of the queue of each job is read at once: a few of them in one query must not be too much for D1. */
const PAGE = 20;

/** For each position, what the queue holds for the job after that kill, oldest first: a page of it, empty at the end. */
export async function unacceptedKills(
  db: D1Database,
  positions: readonly { readonly job: string; readonly after: string }[],
): Promise<Kill[][]> {
  const { results } = await db
    .prepare(
      `SELECT position.key AS position, kills.resource FROM json_each(?) AS position
       JOIN kills ON kills.id IN (
         SELECT id FROM kills INDEXED BY kills_unaccepted WHERE job = position.value ->> 'job' AND accepted = 0
           AND id > position.value ->> 'after' ORDER BY id LIMIT ${PAGE})
       ORDER BY kills.id`,
    )
    .bind(JSON.stringify(positions))
    .all<{ position: number; resource: string }>();
  const pages: Kill[][] = positions.map(() => []);
  for (const { position, resource } of results) pages[position]?.push(readKill(resource));
  return pages;
}

/** The jobs for which something is in the queue, longest waiting first. */
export async function jobsWithUnacceptedKills(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT job FROM kills WHERE accepted = 0 GROUP BY job ORDER BY min(requested_at) LIMIT ?')
    .bind(limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
}

export type Enqueued =
  | { readonly kind: 'stored' }
  /** The same call was made before: this is its kill. */
  | { readonly kind: 'repeated'; readonly kill: Kill }
  /** The key was used before, for another call. */
  | { readonly kind: 'key_reused' }
  | { readonly kind: 'unknown_job' }
  /** The run that is named is none of this job's as the index knows it, but one of this other job's. */
  | { readonly kind: 'foreign_run'; readonly job: string };

export interface KillScope {
  /** The jobs that the caller may see: a run of any other is, to the caller, none. */
  readonly jobGlob: string;
  /** Whether the job's object knows the job, or the run that is named: then it does not matter what the index says. */
  readonly isKnown: boolean;
}

/**
 * Puts a kill into the queue: kill, audit entry and idempotency key in one batch, which is one round trip and one
 * transaction.
 *
 * A job that was never seen will do when the run or instance is named.
 */
export async function enqueueKill(
  db: D1Database,
  kill: Kill,
  audit: AuditEntry,
  idempotency: IdempotencyKey | null,
  { jobGlob, isKnown }: KillScope,
): Promise<Enqueued> {
  const now = Date.parse(kill.requested_at);
  const anyJob = isKnown || kill.run !== null || kill.instance !== null;
  const isVisible = matching('job', jobGlob)[0].replace('?', '?4');
  const isOfThisJob =
    isKnown || kill.run === null
      ? ''
      : `AND (EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND job = ?2)
           OR NOT EXISTS (SELECT 1 FROM runs WHERE id = ?3 AND job <> ?2 AND ${isVisible}))`;
  const mayStore = `(?1 = 1 OR EXISTS (SELECT 1 FROM jobs WHERE name = ?2)) ${isOfThisJob}`;
  const claimKey =
    idempotency === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at)
               SELECT ?5, ?6, ?7, ?8, ?9 WHERE ${mayStore} ON CONFLICT DO NOTHING`,
            )
            .bind(
              Number(anyJob),
              kill.job,
              kill.run,
              jobGlob,
              idempotency.actor,
              idempotency.key,
              idempotency.fingerprint,
              kill.id,
              now,
            ),
        ];
  const keyIsOurs =
    idempotency === null ? '' : 'AND EXISTS (SELECT 1 FROM idempotency WHERE actor = ?8 AND key = ?9 AND kill = ?5)';
  const store = db
    .prepare(
      `INSERT INTO kills (id, job, requested_at, resource)
       SELECT ?5, ?2, ?6, ?7 WHERE ${mayStore} ${keyIsOurs}`,
    )
    .bind(
      Number(anyJob),
      kill.job,
      kill.run,
      jobGlob,
      kill.id,
      now,
      JSON.stringify(kill),
      ...(idempotency === null ? [] : [idempotency.actor, idempotency.key]),
    );
  const results = await db.batch([...claimKey, store, recordAudit(db, audit, { table: 'kills', id: kill.id })]);
  // What triggers change may count, too: not one row, but any.
  if (results[claimKey.length]?.meta.changes !== 0) return { kind: 'stored' };
  const earlier = idempotency === null ? null : await earlierUse(db, idempotency);
  if (earlier?.kind === 'key_reused') return earlier;
  const [repeated] = earlier?.kills ?? [];
  if (repeated !== undefined) return { kind: 'repeated', kill: repeated };
  const [run] = kill.run === null ? [] : await findRuns(db, { id: kill.run, jobGlob, job: null });
  if (run !== undefined && run.job !== kill.job) return { kind: 'foreign_run', job: run.job };
  return { kind: 'unknown_job' };
}
