/** The messages of all rules, and the occurrences that they report. */
import type { Occurrence } from '#protocol/alerts';
import { boolean, integer, nullable, type RecordOf, Table, text } from '../storage/table.ts';

/**
 * - `open`: it collects occurrences
 * - `waiting`: it is to be sent, perhaps again
 * - `delivered`
 * - `failed`: given up
 */
export type MessageState = 'open' | 'waiting' | 'delivered' | 'failed';

/** The table `messages`. */
export const MESSAGE_COLUMNS = {
  id: text(),
  rule: text(),
  state: text<MessageState>(),
  openedAt: integer(),
  lastAt: integer(),
  closedAt: nullable(integer()),
  hasNews: boolean(),
  overflow: integer(),
  nextAt: nullable(integer()),
  attempts: integer(),
  error: nullable(text()),
};
export type MessageRecord = RecordOf<typeof MESSAGE_COLUMNS>;

/** What a message begins with. */
export const NEW_MESSAGE = {
  state: 'open',
  closedAt: null,
  hasNews: false,
  overflow: 0,
  nextAt: null,
  attempts: 0,
  error: null,
} as const satisfies Partial<MessageRecord>;

export class MessageStore extends Table<typeof MESSAGE_COLUMNS> {
  constructor(sql: SqlStorage) {
    super(sql, 'messages', MESSAGE_COLUMNS);
  }

  /** The rule's message that collects occurrences. */
  open(rule: string): MessageRecord | null {
    return this.select("WHERE rule = ? AND state = 'open' ORDER BY id DESC LIMIT 1", rule)[0] ?? null;
  }

  /** Whether a message of the rule is still to be sent: the next one waits for it. */
  isSending(rule: string): boolean {
    return this.select("WHERE rule = ? AND state = 'waiting' LIMIT 1", rule).length > 0;
  }

  /** What is due: first what was not tried yet, so that a receiver that hangs delays no other. */
  due(now: number, limit: number): MessageRecord[] {
    return this.select('WHERE next_at <= ? ORDER BY attempts, next_at LIMIT ?', now, limit);
  }

  /** When the next is due. */
  nextDue(): number | null {
    const query = 'SELECT min(next_at) AS next FROM messages WHERE next_at IS NOT NULL';
    return this.sql.exec<{ next: number | null }>(query).one().next;
  }

  /** The newest of a rule. */
  newest(rule: string, limit: number): MessageRecord[] {
    return this.select('WHERE rule = ? ORDER BY id DESC LIMIT ?', rule, limit);
  }

  /** Removes those that are over and have more than `kept` newer ones of their rule. */
  removeOld(rule: string, kept: number): void {
    this.sql.exec(
      `DELETE FROM messages WHERE rule = ?1 AND state IN ('delivered', 'failed')
         AND id NOT IN (SELECT id FROM messages WHERE rule = ?1 ORDER BY id DESC LIMIT ?2)`,
      rule,
      kept,
    );
  }

  /** What waits for another attempt need not wait. */
  retryNow(rule: string, now: number): void {
    this.sql.exec(
      "UPDATE messages SET next_at = ? WHERE rule = ? AND state = 'waiting' AND next_at IS NOT NULL",
      now,
      rule,
    );
  }

  removeOfRule(rule: string): void {
    this.sql.exec('DELETE FROM messages WHERE rule = ?', rule);
  }
}

/** What each rule has got. */
export class OccurrenceStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @param message null: it is not reported. @returns whether the rule has it for the first time */
  add(rule: string, occurrence: Occurrence, message: string | null): boolean {
    const inserted = this.#sql.exec(
      `INSERT INTO occurrences (rule, id, message, at, job, body) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING RETURNING 1`,
      rule,
      occurrence.id,
      message,
      occurrence.at,
      occurrence.job,
      message === null ? null : JSON.stringify(occurrence),
    );
    return inserted.toArray().length > 0;
  }

  /** Those of a message, in the order in which they happened. */
  ofMessage(message: string, limit: number): Occurrence[] {
    return this.#sql
      .exec<{ body: string }>(
        'SELECT body FROM occurrences WHERE message = ? AND body IS NOT NULL ORDER BY at, id LIMIT ?',
        message,
        limit,
      )
      .toArray()
      .map(({ body }) => JSON.parse(body) as Occurrence);
  }

  /** When the first one of a message happened. */
  oldest(message: string): number {
    const query = 'SELECT min(at) AS at FROM occurrences WHERE message = ?';
    return this.#sql.exec<{ at: number | null }>(query, message).one().at ?? Date.now();
  }

  count(message: string): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM occurrences WHERE message = ?', message).one().n;
  }

  /** The jobs that a message is about. */
  jobs(message: string): string[] {
    return this.#sql
      .exec<{ job: string }>('SELECT DISTINCT job FROM occurrences WHERE message = ?', message)
      .toArray()
      .map(({ job }) => job);
  }

  /** They are not reported after all. Their ids are kept, so that they are not reported later either. */
  silence(rule: string, ids: readonly string[]): void {
    this.#sql.exec(
      `UPDATE occurrences SET message = NULL, body = NULL
       WHERE rule = ? AND id IN (SELECT value FROM json_each(?))`,
      rule,
      JSON.stringify(ids),
    );
  }

  /** A message is over: only the ids of what it reported are kept. */
  forgetBodies(message: string): void {
    this.#sql.exec('UPDATE occurrences SET body = NULL WHERE message = ? AND body IS NOT NULL', message);
  }

  removeOfRule(rule: string): void {
    this.#sql.exec('DELETE FROM occurrences WHERE rule = ?', rule);
  }

  /** Removes what happened before a time. */
  removeBefore(time: number, limit: number): void {
    this.#sql.exec(
      `DELETE FROM occurrences WHERE (rule, id) IN (
         SELECT rule, id FROM occurrences WHERE at < ? AND body IS NULL LIMIT ?)`,
      time,
      limit,
    );
  }
}
