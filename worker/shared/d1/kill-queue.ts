/** The queue: kills that the jobs' objects have yet to accept. */
import type { Kill } from '#protocol/api';
import { type AuditEntry, recordAudit } from './audit.ts';
import { matching } from './glob.ts';
import { earlierUse, type IdempotencyKey } from './idempotency.ts';
import { readKill } from './kills.ts';
import { findRuns } from './runs.ts';

/** How much of a job's queue is read at once: a query reads many queues. */
const PAGE = 20;

/** For each position, a page of the job's queue after that kill, oldest first; empty at the end. */
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

/** The jobs with kills in the queue, longest waiting first. */
export async function jobsWithUnacceptedKills(db: D1Database, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT job FROM kills WHERE accepted = 0 GROUP BY job ORDER BY min(requested_at) LIMIT ?')
    .bind(limit)
    .all<{ job: string }>();
  return results.map(({ job }) => job);
}

export type Enqueued =
  | { readonly kind: 'stored' }
  /** The call repeats an earlier one: this is its kill. */
  | { readonly kind: 'repeated'; readonly kill: Kill }
  /** The key was used before with another request. */
  | { readonly kind: 'key_reused' }
  | { readonly kind: 'unknown_job' }
  /** In the index, the run that is named belongs to this other job. */
  | { readonly kind: 'foreign_run'; readonly job: string };

export interface KillScope {
  /** The jobs that the caller may see. A run of another job counts as unknown. */
  readonly jobGlob: string;
  /** Whether the job's object knows the job, or the run that is named: it overrides the index. */
  readonly isKnown: boolean;
}

/**
 * Stores a kill, its audit entry and its idempotency key in one batch: one round trip and one transaction.
 *
 * The job may be unknown if the run or instance is named.
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
  // `changes` may include what triggers change.
  if (results[claimKey.length]?.meta.changes !== 0) return { kind: 'stored' };
  const earlier = idempotency === null ? null : await earlierUse(db, idempotency);
  if (earlier?.kind === 'key_reused') return earlier;
  const [repeated] = earlier?.kills ?? [];
  if (repeated !== undefined) return { kind: 'repeated', kill: repeated };
  const [run] = kill.run === null ? [] : await findRuns(db, { id: kill.run, jobGlob, job: null });
  if (run !== undefined && run.job !== kill.job) return { kind: 'foreign_run', job: run.job };
  return { kind: 'unknown_job' };
}
