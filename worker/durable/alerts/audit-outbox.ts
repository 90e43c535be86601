/** The entries of D1's audit log about rules: stored with the change, and sent until D1 has them. */
import { ulid } from 'ulid';
import { type AuditEntry, recordAuditOnce } from '../../shared/d1/audit.ts';
import { log } from '../../shared/log.ts';
import type { AlertsContext } from './alerts-context.ts';

const RETRY_MS = 30_000;
const ENTRIES_AT_ONCE = 50;

export class AuditOutbox {
  readonly #alerts: AlertsContext;
  /** When to try again; null: at once. Only in memory: another instance tries at once. */
  #retryAt: number | null = null;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  /** Within the transaction that makes the change. */
  add(entry: AuditEntry): void {
    const insert = 'INSERT INTO unsent_audit (id, entry) VALUES (?, ?)';
    this.#alerts.sql.exec(insert, ulid(entry.at), JSON.stringify(entry));
  }

  /** When something is to be sent; null: nothing. */
  nextDue(now: number): number | null {
    const isEmpty = this.#alerts.sql.exec('SELECT 1 FROM unsent_audit LIMIT 1').toArray().length === 0;
    return isEmpty ? null : (this.#retryAt ?? now);
  }

  /** Never rejects: after a failure it is tried again. */
  async send(): Promise<void> {
    const { sql, env } = this.#alerts;
    const rows = sql
      .exec<{ id: string; entry: string }>('SELECT id, entry FROM unsent_audit ORDER BY id LIMIT ?', ENTRIES_AT_ONCE)
      .toArray();
    if (rows.length === 0) return;
    this.#retryAt = Date.now() + RETRY_MS;
    try {
      await env.DB.batch(rows.map(({ id, entry }) => recordAuditOnce(env.DB, id, JSON.parse(entry) as AuditEntry)));
      for (const { id } of rows) sql.exec('DELETE FROM unsent_audit WHERE id = ?', id);
      this.#retryAt = null;
    } catch (error) {
      log.error('audit_not_recorded', error, { entries: rows.length });
    }
  }
}
