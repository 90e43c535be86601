/**
 * Everything that has to happen later: deadlines behind the object's one alarm. A deadline is a row, or, where it follows
 * from something else that is stored, only in memory: then a new instance of the object sets it again.
 */

/**
 * - `silence`: check which connected runs are silent
 * - `viewers`: check which viewers are silent
 * - `probe`: a suspected run has not answered
 * - `disconnect`: a disconnected run has not reconnected
 * - `witness`: stay in memory until that is decided
 * - `kill_answer`: the wrapper has not answered a kill
 * - `expire`: a kill stops looking for runs
 * - `outbox`: send changes to D1 again
 * - `drain`: read the queue in D1
 * - `trim`: remove more output, of the run, or of all runs of the job
 * - `archive`: move output of ended runs to the bucket
 * - `purge`: remove what a removed run has in the bucket
 * - `expectation`: runs that were due have not started
 * - `slow`: a run takes longer than expected
 * - `retain`: remove what is older than the retention period
 * - `credential_check`: ask D1 which credentials of open sockets are still valid
 * - `credential_end`: a credential of open sockets expires
 */
export const DEADLINE_KINDS = [
  'silence',
  'viewers',
  'probe',
  'disconnect',
  'witness',
  'kill_answer',
  'expire',
  'outbox',
  'drain',
  'trim',
  'archive',
  'purge',
  'expectation',
  'slow',
  'retain',
  'credential_check',
  'credential_end',
] as const;
export type DeadlineKind = (typeof DEADLINE_KINDS)[number];

/** Only in memory. They follow from sockets, runs, open kills, expectations, and from what is to be sent. */
const DERIVED_KINDS: ReadonlySet<DeadlineKind> = new Set([
  'silence',
  'viewers',
  'disconnect',
  'witness',
  'expire',
  'outbox',
  'expectation',
  'slow',
]);

/** The table, for an object without migrations. The job object creates it in its first one. */
export const DEADLINES_TABLE = `
  CREATE TABLE IF NOT EXISTS deadlines (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
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
  readonly #derived = new Map<string, Deadline>();
  /** While the object is constructed: an alarm may be set that is not known yet. */
  #isStarting = false;
  /** When the alarm will fire; null: unknown. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /**
   * Calls `setDerived` to set the deadlines that are only in memory. To be called when the object is constructed, inside
   * of `blockConcurrencyWhile`.
   */
  async start(setDerived: () => void): Promise<void> {
    const alarmAt = await this.#storage.getAlarm();
    this.#isStarting = true;
    setDerived();
    this.#isStarting = false;
    // One that is due is being handled, or may be lost: it counts as unknown.
    if (alarmAt === null || alarmAt <= Date.now()) return;
    this.#alarmAt = alarmAt;
    this.ensureAlarm();
  }

  /** Sets a deadline; replaces an earlier one of the same kind and subject. */
  arm(kind: DeadlineKind, subject: string, dueAt: number): void {
    const armedAt = Date.now();
    if (DERIVED_KINDS.has(kind)) {
      this.#derived.set(keyOf(kind, subject), { kind, subject, armedAt, dueAt });
    } else {
      this.#storage.sql.exec(
        'INSERT OR REPLACE INTO deadlines (kind, subject, armed_at, due_at) VALUES (?, ?, ?, ?)',
        kind,
        subject,
        armedAt,
        dueAt,
      );
    }
    this.#ensureAlarmBy(dueAt);
  }

  armIfUnset(kind: DeadlineKind, subject: string, dueAt: number): void {
    if (!this.has(kind, subject)) this.arm(kind, subject, dueAt);
  }

  cancel(kind: DeadlineKind, subject: string): void {
    // The alarm is not moved: one that finds nothing due costs less than a write for each cancellation.
    if (DERIVED_KINDS.has(kind)) this.#derived.delete(keyOf(kind, subject));
    else this.#storage.sql.exec('DELETE FROM deadlines WHERE kind = ? AND subject = ?', kind, subject);
  }

  has(kind: DeadlineKind, subject: string): boolean {
    if (DERIVED_KINDS.has(kind)) return this.#derived.has(keyOf(kind, subject));
    const query = 'SELECT 1 FROM deadlines WHERE kind = ? AND subject = ?';
    return this.#storage.sql.exec(query, kind, subject).toArray().length > 0;
  }

  /** Whether any deadline of a kind is set. */
  hasAny(kind: DeadlineKind): boolean {
    if (DERIVED_KINDS.has(kind)) {
      for (const deadline of this.#derived.values()) if (deadline.kind === kind) return true;
      return false;
    }
    return this.#storage.sql.exec('SELECT 1 FROM deadlines WHERE kind = ? LIMIT 1', kind).toArray().length > 0;
  }

  /** When the last deadline of a kind is due; null: none is set. */
  lastDue(kind: DeadlineKind): number | null {
    const due = this.#all().flatMap((deadline) => (deadline.kind === kind ? [deadline.dueAt] : []));
    return due.length === 0 ? null : Math.max(...due);
  }

  /** Removes the deadlines that are due. @returns them, earliest first */
  removeDue(now: number): Deadline[] {
    const due = this.#all().filter(({ dueAt }) => dueAt <= now);
    if (due.some(({ kind }) => !DERIVED_KINDS.has(kind))) {
      this.#storage.sql.exec('DELETE FROM deadlines WHERE due_at <= ?', now);
    }
    for (const { kind, subject } of due) this.#derived.delete(keyOf(kind, subject));
    return due.sort(
      (one, other) => one.dueAt - other.dueAt || compare(one.kind, other.kind) || compare(one.subject, other.subject),
    );
  }

  /** The storage was cleared, and the alarm with it. */
  storageCleared(): void {
    this.#derived.clear();
    this.#alarmAt = null;
  }

  /** The alarm has fired, or may be lost: none is set. Call `ensureAlarm` after handling what is due. */
  alarmUnset(): void {
    this.#alarmAt = null;
  }

  /** Makes sure that an alarm is set. */
  ensureAlarm(): void {
    const next = this.#nextDue();
    if (next !== null) this.#ensureAlarmBy(next);
  }

  #ensureAlarmBy(dueAt: number): void {
    if (this.#isStarting) return;
    const now = Date.now();
    // An alarm that should have fired by now may be lost: it counts as unknown.
    if (this.#alarmAt !== null && this.#alarmAt > now && this.#alarmAt <= dueAt) return;
    // An earlier alarm may be set that is not known here: the earliest deadline decides.
    // setAlarm() with a time at or before now may never fire.
    this.#alarmAt = Math.max(Math.min(dueAt, this.#nextDue() ?? dueAt), now + 1);
    void this.#storage.setAlarm(this.#alarmAt);
  }

  #nextDue(): number | null {
    let next: number | null = null;
    for (const { dueAt } of this.#all()) if (next === null || dueAt < next) next = dueAt;
    return next;
  }

  #all(): Deadline[] {
    const rows = this.#storage.sql.exec<{ kind: DeadlineKind; subject: string; armedAt: number; dueAt: number }>(
      'SELECT kind, subject, armed_at AS "armedAt", due_at AS "dueAt" FROM deadlines',
    );
    return [...this.#derived.values(), ...rows];
  }
}

function keyOf(kind: DeadlineKind, subject: string): string {
  return `${kind} ${subject}`;
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
