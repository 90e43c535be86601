/** Who did what, when. */
import { ulid } from 'ulid';
import { firstUlid } from './first-ulid.ts';

export interface AuditEntry {
  readonly at: number;
  /** The token's id. */
  readonly actor: string;
  readonly action: 'kill' | 'token_created' | 'token_deleted' | 'signed_in' | 'signed_out';
  /** What it was done to. */
  readonly subject: string;
  /** Never a secret. */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly address: string | null;
  readonly requestId: string;
}

/** @param onlyIf write the entry only if this row exists when its turn in the batch comes */
export function recordAudit(
  db: D1Database,
  entry: AuditEntry,
  onlyIf?: { table: 'commands' | 'tokens'; id: string },
): D1PreparedStatement {
  const condition = onlyIf === undefined ? '' : `WHERE EXISTS (SELECT 1 FROM ${onlyIf.table} WHERE id = ?9)`;
  return db
    .prepare(
      `INSERT INTO audit (id, at, actor, action, subject, detail, address, request_id)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 ${condition}`,
    )
    .bind(
      ulid(entry.at),
      entry.at,
      entry.actor,
      entry.action,
      entry.subject,
      JSON.stringify(entry.detail),
      entry.address,
      entry.requestId,
      ...(onlyIf === undefined ? [] : [onlyIf.id]),
    );
}

/** Removes entries from before a time, oldest first. */
export function forgetAudit(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare('DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?)')
    .bind(firstUlid(before), limit);
}

/** Writes an entry for each command of a batch that is stored when its turn in the transaction comes. */
export function recordAudits(db: D1Database, entries: readonly AuditEntry[], batch: string): D1PreparedStatement {
  const rows = entries.map((entry) => ({ id: ulid(entry.at), ...entry }));
  return db
    .prepare(
      `INSERT INTO audit (id, at, actor, action, subject, detail, address, request_id)
       SELECT value ->> '$.id', value ->> '$.at', value ->> '$.actor', value ->> '$.action', value ->> '$.subject',
         value -> '$.detail', value ->> '$.address', value ->> '$.requestId'
       FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM commands WHERE batch = ?2)`,
    )
    .bind(JSON.stringify(rows), batch);
}
