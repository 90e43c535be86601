/** Links in messages by which one run can be killed, once. Only hashes of their secrets are stored. */
import { randomBytes } from 'node:crypto';
import { sha256 } from '../../shared/hash.ts';
import type { KillLink } from '../../shared/rpc/alerts-object.ts';
import { daysInMs } from '../../shared/settings.ts';

const VALID_MS = daysInMs(1);
const SECRET_BYTES = 32;

/** What a link is for. */
export interface NewKillLink {
  readonly rule: string;
  readonly message: string;
  readonly job: string;
  readonly run: string;
}

export class KillLinks {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /**
   * Makes a link. A message that is sent again has another one for the same run, because the secret of the first is stored
   * nowhere; using one uses up both.
   *
   * @returns its secret
   */
  mint({ rule, message, job, run }: NewKillLink): string {
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const now = Date.now();
    this.#sql.exec('DELETE FROM kill_links WHERE expires_at < ?', now - VALID_MS);
    this.#sql.exec(
      `INSERT INTO kill_links (hash, rule, message, job, run, expires_at, used_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, (SELECT max(used_at) FROM kill_links WHERE message = ?3 AND run = ?5)`,
      sha256(secret),
      rule,
      message,
      job,
      run,
      now + VALID_MS,
    );
    return secret;
  }

  /** Null: there is none; or its rule is gone, or allows none any more. Also one that has expired or was used is found. */
  find(hash: string): KillLink | null {
    const [link] = this.#sql
      .exec<{ job: string; run: string; alert: string; expiresAt: number; usedAt: number | null }>(
        `SELECT job, run, rules.name AS alert, expires_at AS "expiresAt", used_at AS "usedAt"
         FROM kill_links JOIN rules ON rules.id = kill_links.rule
         WHERE hash = ? AND rules.kill_link = 1`,
        hash,
      )
      .toArray();
    return link ?? null;
  }

  /** @returns whether it could still be used */
  use(hash: string): boolean {
    const link = this.find(hash);
    const now = Date.now();
    if (link === null || link.usedAt !== null || link.expiresAt <= now) return false;
    this.#sql.exec(
      `UPDATE kill_links SET used_at = ?2
       WHERE (message, run) = (SELECT message, run FROM kill_links WHERE hash = ?1)`,
      hash,
      now,
    );
    return true;
  }

  removeOfRule(rule: string): void {
    this.#sql.exec('DELETE FROM kill_links WHERE rule = ?', rule);
  }
}
