/** Everything that happened to this job's runs, in order. */
import type { NewRunEvent, RunEvent } from '#protocol/api';

/** What tells one step of ending a run from another. */
export type KillStep = Pick<Extract<NewRunEvent, { type: 'kill_progress' }>, 'command' | 'reason' | 'phase' | 'signal'>;

export class EventLog {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  append(run: string, event: NewRunEvent): RunEvent {
    const { id } = this.#sql
      .exec<{ id: number }>('INSERT INTO events (run, event) VALUES (?, ?) RETURNING id', run, JSON.stringify(event))
      .one();
    return { id, ...event };
  }

  /** Whether a step was told before. Its time is left out: it may have been cut to the present when it was first told. */
  hasStep(run: string, { command, reason, phase, signal }: KillStep): boolean {
    const query = `SELECT 1 FROM events WHERE run = ? AND event ->> 'type' = 'kill_progress' AND event ->> 'command' IS ?
      AND event ->> 'reason' = ? AND event ->> 'phase' = ? AND event ->> 'signal' IS ? LIMIT 1`;
    return this.#sql.exec(query, run, command, reason, phase, signal).toArray().length > 0;
  }

  /** A run's events with an id above `after`, oldest first. */
  list(run: string, after: number, limit: number): RunEvent[] {
    return this.#sql
      .exec<{ id: number; event: string }>(
        'SELECT id, event FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?',
        run,
        after,
        limit,
      )
      .toArray()
      .map(({ id, event }) => ({ id, ...(JSON.parse(event) as NewRunEvent) }));
  }
}
