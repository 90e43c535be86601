/** Everything that happened to this job's runs, in order. */
import type { NewRunEvent, RunEvent } from '#protocol/api';

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

  /** Whether the very same was told before. */
  has(run: string, event: NewRunEvent): boolean {
    const query = 'SELECT 1 FROM events WHERE run = ? AND event = ?';
    return this.#sql.exec(query, run, JSON.stringify(event)).toArray().length > 0;
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
