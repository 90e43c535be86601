/**
 * Runs of other jobs that were reported with the id of one of this job's. An id is no secret once a run is listed, so
 * whoever may report runs of one job can do so under the id of another's: each job keeps its own, and both are told.
 */
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import type { EventLog } from './event-log.ts';
import type { Journal } from './journal.ts';
import type { RunStore } from './run-store.ts';

/** Whoever reports an id under a thousand names must not fill a run's events with them. */
const MAX_TOLD = 10;

export class Namesakes {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #job: string;
  readonly #runs: RunStore;
  readonly #events: EventLog;
  readonly #journal: Journal;

  constructor(parts: {
    ctx: DurableObjectState;
    env: Env;
    job: string;
    runs: RunStore;
    events: EventLog;
    journal: Journal;
  }) {
    this.#ctx = parts.ctx;
    this.#env = parts.env;
    this.#job = parts.job;
    this.#runs = parts.runs;
    this.#events = parts.events;
    this.#journal = parts.journal;
  }

  /** Notes that another job has a run with this id, once. @returns whether it was news */
  note(id: string, otherJob: string): boolean {
    const run = this.#runs.get(id);
    if (run === null) return false;
    const told = this.#events.conflictsOf(id, MAX_TOLD);
    if (told.length === MAX_TOLD || told.includes(otherJob)) return false;
    this.#journal.tell(run, { type: 'run_conflict', at: new Date().toISOString(), job: otherJob });
    log.warn('run_conflict', { job: this.#job, run: id, other: otherJob });
    return true;
  }

  /** The same, and lets the other job know: else it would hear of it only with the next change of its run. */
  found(id: string, otherJob: string): void {
    if (!this.note(id, otherJob)) return;
    const told = callJob(this.#env, otherJob, (object) => object.noteNamesake(id, this.#job));
    this.#ctx.waitUntil(told.catch((error: unknown) => log.error('run_conflict_not_told', error, { job: otherJob })));
  }
}
