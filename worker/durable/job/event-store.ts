/**
 * The events of this job's runs, in order.
 *
 * A run's newest events are in its own row, which is written anyway when something happens to it. When they are many, they
 * become a row of the table `events`.
 */
import type { NewRunEvent, RunEvent } from '#protocol/api';
import { KIB } from '#protocol/limits';
import type { RunRecord } from './run-store.ts';

/** What distinguishes one step of a kill from another. */
export type KillStep = Pick<Extract<NewRunEvent, { type: 'kill_progress' }>, 'kill' | 'reason' | 'phase' | 'signal'>;

/** The fields of a run that contain its events. */
export type EventFields = Pick<RunRecord, 'recentEvents' | 'eventCount'>;

export const NO_EVENTS: EventFields = { recentEvents: '[]', eventCount: 0 };

/** What a run's own row holds at most, before a new event. */
const MAX_RECENT_EVENTS = 32;
const MAX_RECENT_CHARS = 8 * KIB;

export class EventStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Numbers new events of a run. @returns what to store in its row, and the events */
  append(run: string, { recentEvents, eventCount }: EventFields, events: readonly NewRunEvent[]) {
    const added = events.map((event, index): RunEvent => ({ id: eventCount + index + 1, ...event }));
    const recent = read(recentEvents);
    const isFull = recent.length >= MAX_RECENT_EVENTS || recentEvents.length > MAX_RECENT_CHARS;
    if (isFull && recent[0] !== undefined) {
      this.#sql.exec('INSERT INTO events (run, first, events) VALUES (?, ?, ?)', run, recent[0].id, recentEvents);
    }
    const fields: EventFields = {
      recentEvents: JSON.stringify([...(isFull ? [] : recent), ...added]),
      eventCount: eventCount + added.length,
    };
    return { added, fields };
  }

  /** What a run's row has of its events now. A record that was read earlier may lack some. */
  fieldsOf(run: string): EventFields {
    const [fields] = this.#sql.exec<{ recentEvents: string; eventCount: number }>(
      'SELECT recent_events AS "recentEvents", event_count AS "eventCount" FROM runs WHERE id = ?',
      run,
    );
    return fields ?? NO_EVENTS;
  }

  /** Whether a step is stored. Its time is not compared: it may have been clamped to the present. */
  hasStep(run: string, { kill, reason, phase, signal }: KillStep): boolean {
    return this.#all(run).some(
      (event) =>
        event.type === 'kill_progress' &&
        event.kill === kill &&
        event.reason === reason &&
        event.phase === phase &&
        event.signal === signal,
    );
  }

  /** A run's events with an id above `after`, oldest first. */
  list(run: string, after: number, limit: number): RunEvent[] {
    return this.#all(run, after)
      .filter(({ id }) => id > after)
      .slice(0, limit);
  }

  /** The other jobs that have reported a run with the same id, according to its events. */
  conflictingJobs(run: string, limit: number): string[] {
    return this.#all(run)
      .flatMap((event) => (event.type === 'run_conflict' ? [event.job] : []))
      .slice(0, limit);
  }

  /** Removes the oldest of a run's events, except those in its row. @returns how many rows */
  remove(run: string, limit: number): number {
    return this.#sql
      .exec(
        'DELETE FROM events WHERE (run, first) IN (SELECT run, first FROM events WHERE run = ? ORDER BY first LIMIT ?) RETURNING 1',
        run,
        limit,
      )
      .toArray().length;
  }

  /**
   * Removes the events from before a time.
   *
   * @param keptSince the runs that ended before this time are removed as a whole
   * @returns how many rows
   */
  removeBefore(time: number, keptSince: number, limit: number): number {
    const at = new Date(time).toISOString();
    const rows = this.#sql
      .exec(
        `DELETE FROM events WHERE (run, first) IN (
           SELECT run, first FROM events WHERE events ->> '$[#-1].at' < ? LIMIT ?) RETURNING 1`,
        at,
        limit,
      )
      .toArray().length;
    const runs = this.#sql
      .exec<{ id: string; recentEvents: string }>(
        `SELECT id, recent_events AS "recentEvents" FROM runs
         WHERE settled = 0 AND final = 0 AND recent_events ->> '$[0].at' < ?1
         UNION ALL SELECT id, recent_events FROM runs
         WHERE ended_at >= ?2 AND ended_at < ?3 AND final = 1 AND recent_events <> '[]' LIMIT ?4`,
        at,
        keptSince,
        time,
        limit,
      )
      .toArray();
    for (const { id, recentEvents } of runs) {
      const kept = read(recentEvents).filter((event) => event.at >= at);
      this.#sql.exec('UPDATE runs SET recent_events = ? WHERE id = ?', JSON.stringify(kept), id);
    }
    return Math.max(rows, runs.length);
  }

  /** A run's events, at least those with an id above `after`. */
  #all(run: string, after = 0): RunEvent[] {
    const rows = this.#sql.exec<{ events: string }>(
      `SELECT events FROM events WHERE run = ?1
         AND first >= coalesce((SELECT max(first) FROM events WHERE run = ?1 AND first <= ?2 + 1), 0) ORDER BY first`,
      run,
      after,
    );
    const earlier = Array.from(rows, ({ events }) => read(events)).flat();
    return [...earlier, ...read(this.fieldsOf(run).recentEvents)];
  }
}

function read(events: string): RunEvent[] {
  return JSON.parse(events) as RunEvent[];
}
