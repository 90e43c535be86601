/** Everything that is to happen later: rows behind the object's one alarm. */

/**
 * - `silence`: look which connected runs have gone quiet
 * - `viewers`: look which viewers have gone quiet
 * - `probe`: a suspected run has not answered
 * - `disconnect`: a run whose link was cut has not returned
 * - `kill_answer`: the wrapper has not answered a kill
 * - `expire`: a kill ends its search for runs
 * - `outbox`: tell D1 again
 * - `drain`: look into the queue in D1
 * - `trim`: remove some more output, of the run, or of all runs of the job
 * - `retain`: look for what has been kept long enough
 * - `credential_check`: ask D1 whether what sockets were opened with still stands
 * - `credential_end`: something that sockets were opened with ends
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

/** The table for an object that has no migrations. The job's object has it from its first one. */
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
  /** The run, kill or token it concerns; empty when it concerns the object. */
  readonly subject: string;
  readonly armedAt: number;
  readonly dueAt: number;
}

export class DeadlineBook {
  readonly #storage: DurableObjectStorage;
  /** When the alarm is set to ring; null: not known, as after a start. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Sets a deadline, in place of an earlier one of the same kind and subject. */
  arm(kind: DeadlineKind, subject: string, dueAt: number): void {
    this.#storage.sql.exec(
      'INSERT OR REPLACE INTO deadlines (kind, subject, armed_at, due_at) VALUES (?, ?, ?, ?)',
      kind,
      subject,
      Date.now(),
      dueAt,
    );
    this.#ringBy(dueAt);
  }

  cancel(kind: DeadlineKind, subject: string): void {
    // The alarm stays as it is: one that rings for nothing costs less than a write for each cancellation.
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

  /** Takes out what is due, earliest first. */
  takeDue(now: number): Deadline[] {
    const due = this.#select('WHERE due_at <= ? ORDER BY due_at', now);
    this.#storage.sql.exec('DELETE FROM deadlines WHERE due_at <= ?', now);
    return due;
  }

  /** The storage was emptied, and the alarm with it. */
  forgotten(): void {
    this.#alarmAt = null;
  }

  /** After the alarm rang, it is not set any more: sets it to the earliest deadline that is left. */
  ringNext(): void {
    this.#alarmAt = null;
    const next = this.#select('ORDER BY due_at LIMIT 1')[0];
    if (next !== undefined) this.#ringBy(next.dueAt);
  }

  #ringBy(dueAt: number): void {
    const now = Date.now();
    // One that should have rung by now may have been lost: it counts as unknown.
    if (this.#alarmAt !== null && this.#alarmAt > now && this.#alarmAt <= dueAt) return;
    // Where the alarm stands is not known: an earlier one may be set. The earliest row tells.
    const earliest = this.#select('ORDER BY due_at LIMIT 1')[0];
    // An alarm set to now or to the past stalls.
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
