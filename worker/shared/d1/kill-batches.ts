/** The kills of one call. */
import type { Kill } from '#protocol/api';
import { type AuditEntry, recordAudits } from './audit.ts';
import { type EarlierUse, earlierUse, type IdempotencyKey } from './idempotency.ts';
import { readKill } from './kills.ts';

export interface KillBatch {
  readonly id: string;
  readonly kills: readonly Kill[];
  /** One for each kill, in the same order. */
  readonly audits: readonly AuditEntry[];
}

/** A bound parameter has at most 2 MB, and a kill with its selector and reason can have 6 KB. */
const ROWS_PER_STATEMENT = 200;

/**
 * Stores the kills of a call, their audit entries and the call's idempotency key in one transaction.
 *
 * @returns null if they were stored, otherwise what the key was used for before
 */
export async function enqueueBatch(
  db: D1Database,
  { id, kills, audits }: KillBatch,
  idempotency: IdempotencyKey | null,
): Promise<EarlierUse | null> {
  const now = Date.now();
  const claimKey =
    idempotency === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, kill, created_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO NOTHING`,
            )
            .bind(idempotency.actor, idempotency.key, idempotency.fingerprint, id, now),
        ];
  const keyIsOurs =
    idempotency === null ? '' : 'WHERE EXISTS (SELECT 1 FROM idempotency WHERE actor = ?3 AND key = ?4 AND kill = ?2)';
  const rows = kills.map((kill) => ({ at: Date.parse(kill.requested_at), kill }));
  const store = chunks(rows).map((chunk) =>
    db
      .prepare(
        `INSERT INTO kills (id, job, requested_at, batch, resource)
         SELECT value ->> '$.kill.id', value ->> '$.kill.job', value ->> '$.at', ?2, value -> '$.kill'
         FROM json_each(?1) ${keyIsOurs}`,
      )
      .bind(JSON.stringify(chunk), id, ...(idempotency === null ? [] : [idempotency.actor, idempotency.key])),
  );
  const record = chunks(audits).map((chunk) => recordAudits(db, chunk, id));
  const statements = [...claimKey, ...store, ...record];
  if (statements.length === 0) return null;
  const results = await db.batch(statements);
  const isKeyTaken = idempotency !== null && results[0]?.meta.changes === 0;
  return isKeyTaken ? earlierUse(db, idempotency) : null;
}

/** The kills of a batch, as the index has them. */
export async function batchKills(db: D1Database, batch: string): Promise<Kill[]> {
  const { results } = await db
    .prepare('SELECT resource FROM kills WHERE batch = ? ORDER BY id')
    .bind(batch)
    .all<{ resource: string }>();
  return results.map(({ resource }) => readKill(resource));
}

/** Whether a kill of the batch has neither settled nor expired. */
export async function isBatchOpen(db: D1Database, batch: string): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM kills WHERE batch = ? AND state IN ('queued', 'delivered') LIMIT 1")
    .bind(batch)
    .first();
  return row !== null;
}

function chunks<Row>(rows: readonly Row[]): Row[][] {
  const count = Math.ceil(rows.length / ROWS_PER_STATEMENT);
  return Array.from({ length: count }, (_, index) =>
    rows.slice(index * ROWS_PER_STATEMENT, (index + 1) * ROWS_PER_STATEMENT),
  );
}
