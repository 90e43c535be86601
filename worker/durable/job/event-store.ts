/** The events of this job's runs, in order. */
import type { NewRunEvent, RunEvent } from '#protocol/api';

/** What distinguishes one step of a kill from another. */
export type KillStep = Pick<Extract<NewRunEvent, { type: 'kill_progress' }>, 'kill' | 'reason' | 'phase' | 'signal'>;

export class EventStore {
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

  /** Whether a step is stored. Its time is not compared: it may have been clamped to the present. */
  hasStep(run: string, { kill, reason, phase, signal }: KillStep): boolean {
    const query = `SELECT 1 FROM events WHERE run = ? AND event ->> 'type' = 'kill_progress' AND event ->> 'kill' IS ?
      AND event ->> 'reason' = ? AND event ->> 'phase' = ? AND event ->> 'signal' IS ? LIMIT 1`;
    return this.#sql.exec(query, run, kill, reason, phase, signal).toArray().length > 0;
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

  /** The other jobs that have reported a run with the same id, according to its events. */
  conflictingJobs(run: string, limit: number): string[] {
    return this.#sql
      .exec<{ job: string }>(
        "SELECT event ->> 'job' AS job FROM events WHERE run = ? AND event ->> 'type' = 'run_conflict' LIMIT ?",
        run,
        limit,
      )
      .toArray()
      .map(({ job }) => job);
  }

  /** Removes the oldest of a run's events. @returns how many */
  remove(run: string, limit: number): number {
    return this.#sql
      .exec(
        'DELETE FROM events WHERE id IN (SELECT id FROM events WHERE run = ? ORDER BY id LIMIT ?) RETURNING 1',
        run,
        limit,
      )
      .toArray().length;
  }

  /** Removes the oldest events of all runs, up to the first that is newer than a time. @returns how many */
  removeBefore(time: number, limit: number): number {
    const oldest = this.#sql
      .exec<{ id: number; at: string }>(`SELECT id, event ->> 'at' AS at FROM events ORDER BY id LIMIT ?`, limit)
      .toArray();
    const firstKept = oldest.findIndex(({ at }) => Date.parse(at) >= time);
    const removed = firstKept === -1 ? oldest : oldest.slice(0, firstKept);
    const last = removed.at(-1);
    if (last !== undefined) this.#sql.exec('DELETE FROM events WHERE id <= ?', last.id);
    return removed.length;
  }
}
