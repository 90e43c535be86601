/** Everything that has to happen later: deadlines, which are rows behind the object's one alarm. */

/**
 * - `silence`: check which connected runs are silent
 * - `viewers`: check which viewers are silent
 * - `probe`: a suspected run has not answered
 * - `disconnect`: a disconnected run has not reconnected
 * - `kill_answer`: the wrapper has not answered a kill
 * - `expire`: a kill stops looking for runs
 * - `outbox`: send changes to D1 again
 * - `drain`: read the queue in D1
 * - `trim`: remove more output, of the run, or of all runs of the job
 * - `retain`: remove what is older than the retention period
 * - `credential_check`: ask D1 which credentials of open sockets are still valid
 * - `credential_end`: a credential of open sockets expires
 */
export const DEADLINE_KINDS = [
  'silence',
  'viewers',
  'probe',
  'disconnect',
  'kill_answer',
  'expire',
  'outbox',
  'drain',
  'trim',
  'retain',
  'credential_check',
  'credential_end',
] as const;
export type DeadlineKind = (typeof DEADLINE_KINDS)[number];

/** The table, for an object without migrations. The job object creates it in its first one. */
export const DEADLINES_TABLE = `
  CREATE TABLE IF NOT EXISTS deadlines (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS deadlines_by_due ON deadlines (due_at);
`;

export interface Deadline {
  readonly kind: DeadlineKind;
  /** The run, kill or token that it concerns; empty if it concerns the whole object. */
  readonly subject: string;
  readonly armedAt: number;
  readonly dueAt: number;
}

export class AlarmScheduler {
  readonly #storage: DurableObjectStorage;
  /** When the alarm will fire; null: unknown, as after a start. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Sets a deadline; replaces an earlier one of the same kind and subject. */
  arm(kind: DeadlineKind, subject: string, dueAt: number): void {
    this.#storage.sql.exec(
      'INSERT OR REPLACE INTO deadlines (kind, subject, armed_at, due_at) VALUES (?, ?, ?, ?)',
      kind,
      subject,
      Date.now(),
      dueAt,
    );
    this.#ensureAlarmBy(dueAt);
  }

  armIfUnset(kind: DeadlineKind, subject: string, dueAt: number): void {
    if (!this.has(kind, subject)) this.arm(kind, subject, dueAt);
  }

  cancel(kind: DeadlineKind, subject: string): void {
    // The alarm is not moved: one that finds nothing due costs less than a write for each cancellation.
    this.#storage.sql.exec('DELETE FROM deadlines WHERE kind = ? AND subject = ?', kind, subject);
  }

  has(kind: DeadlineKind, subject: string): boolean {
    const query = 'SELECT 1 FROM deadlines WHERE kind = ? AND subject = ?';
    return this.#storage.sql.exec(query, kind, subject).toArray().length > 0;
  }

  /** Whether any deadline of these kinds is set. */
  hasAny(...kinds: DeadlineKind[]): boolean {
    const places = kinds.map(() => '?').join(', ');
    const query = `SELECT 1 FROM deadlines WHERE kind IN (${places}) LIMIT 1`;
    return this.#storage.sql.exec(query, ...kinds).toArray().length > 0;
  }

  /** Removes the deadlines that are due. @returns them, earliest first */
  removeDue(now: number): Deadline[] {
    const due = this.#select('WHERE due_at <= ? ORDER BY due_at', now);
    this.#storage.sql.exec('DELETE FROM deadlines WHERE due_at <= ?', now);
    return due;
  }

  /** The storage was cleared, and the alarm with it. */
  storageCleared(): void {
    this.#alarmAt = null;
  }

  /** Sets the alarm to the earliest deadline. To be called when it has fired, which unsets it. */
  setNextAlarm(): void {
    this.#alarmAt = null;
    const next = this.#select('ORDER BY due_at LIMIT 1')[0];
    if (next !== undefined) this.#ensureAlarmBy(next.dueAt);
  }

  #ensureAlarmBy(dueAt: number): void {
    const now = Date.now();
    // An alarm that should have fired by now may be lost: it counts as unknown.
    if (this.#alarmAt !== null && this.#alarmAt > now && this.#alarmAt <= dueAt) return;
    // An earlier alarm may be set that is not known here: the earliest row decides.
    const earliest = this.#select('ORDER BY due_at LIMIT 1')[0];
    // setAlarm() with a time at or before now may never fire.
    this.#alarmAt = Math.max(Math.min(dueAt, earliest?.dueAt ?? dueAt), now + 1);
    void this.#storage.setAlarm(this.#alarmAt);
  }

  #select(clause: string, ...bindings: SqlStorageValue[]): Deadline[] {
    return this.#storage.sql
      .exec<{ kind: DeadlineKind; subject: string; armedAt: number; dueAt: number }>(
        `SELECT kind, subject, armed_at AS "armedAt", due_at AS "dueAt" FROM deadlines ${clause}`,
        ...bindings,
      )
      .toArray();
  }
}
