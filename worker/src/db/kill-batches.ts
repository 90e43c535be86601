/** Commands that one call has made: one for each job, put into the queue together. */
import type { Command } from '#protocol/api';
import { type AuditEntry, recordAudits } from './audit.ts';
import { type EarlierUse, earlierUse, type IdempotencyKey, readCommand } from './kills.ts';

export interface CommandBatch {
  readonly id: string;
  readonly commands: readonly Command[];
  /** One for each command, in the same order. */
  readonly audits: readonly AuditEntry[];
}

/** A bound parameter has at most 2 MB, and a command with its selector and reason can have 6 KB. */
const ROWS_PER_STATEMENT = 200;

/**
 * Puts the commands of a call into the queue, with their audit entries and the call's idempotency key: all of it in one
 * transaction, or nothing.
 *
 * @returns null when that was done, or else what the key was used for before
 */
export async function enqueueBatch(
  db: D1Database,
  { id, commands, audits }: CommandBatch,
  idempotency: IdempotencyKey | null,
): Promise<EarlierUse | null> {
  const now = Date.now();
  const claimKey =
    idempotency === null
      ? []
      : [
          db
            .prepare(
              `INSERT INTO idempotency (actor, key, fingerprint, command, created_at) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO NOTHING`,
            )
            .bind(idempotency.actor, idempotency.key, idempotency.fingerprint, id, now),
        ];
  const keyIsOurs =
    idempotency === null
      ? ''
      : 'WHERE EXISTS (SELECT 1 FROM idempotency WHERE actor = ?3 AND key = ?4 AND command = ?2)';
  const rows = commands.map((command) => ({ at: Date.parse(command.requested_at), command }));
  const store = chunks(rows).map((chunk) =>
    db
      .prepare(
        `INSERT INTO commands (id, job, requested_at, batch, resource)
         SELECT value ->> '$.command.id', value ->> '$.command.job', value ->> '$.at', ?2, value -> '$.command'
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

/** The commands of a batch as D1 knows them. */
export async function batchCommands(db: D1Database, batch: string): Promise<Command[]> {
  const { results } = await db
    .prepare('SELECT resource FROM commands WHERE batch = ? ORDER BY id')
    .bind(batch)
    .all<{ resource: string }>();
  return results.map(({ resource }) => readCommand(resource));
}

/** Whether some command of a batch has neither been settled nor expired. */
export async function isBatchOpen(db: D1Database, batch: string): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM commands WHERE batch = ? AND state IN ('queued', 'delivered') LIMIT 1")
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
