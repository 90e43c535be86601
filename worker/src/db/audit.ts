/** Who did what, when. */
import { ulid } from 'ulid';

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

/** @param onlyWithCommand write the entry only if this command is stored, as the same batch may have refused it */
export function recordAudit(db: D1Database, entry: AuditEntry, onlyWithCommand?: string): D1PreparedStatement {
  const condition = onlyWithCommand === undefined ? '' : 'WHERE EXISTS (SELECT 1 FROM commands WHERE id = ?9)';
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
      ...(onlyWithCommand === undefined ? [] : [onlyWithCommand]),
    );
}
