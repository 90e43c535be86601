/** The one way in which a run changes: stored, sent to viewers, and added to the outbox. */
import type { NewRunEvent } from '#protocol/api';
import type { KillStep } from './event-store.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { runResource } from './run-store.ts';

export class RunUpdater {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** A new run. */
  insert(run: RunRecord, ...events: NewRunEvent[]): RunRecord {
    this.#job.runs.insert(run);
    return this.#announce(run, events);
  }

  /** Changes a run, and records what happened to it. */
  update(run: RunRecord, changes: Partial<RunRecord>, ...events: NewRunEvent[]): RunRecord {
    const counted = { ...changes, seq: run.seq + 1 };
    this.#job.runs.patch(run.id, counted);
    return this.#announce({ ...run, ...counted }, events);
  }

  /** Records an event that leaves the run as it is. */
  addEvent(run: RunRecord, event: NewRunEvent): void {
    this.#job.viewers.event(run.id, this.#job.events.append(run.id, event));
  }

  /** Whether this step of a kill was recorded before. */
  hasStep(run: RunRecord, step: KillStep): boolean {
    return this.#job.events.hasStep(run.id, step);
  }

  #announce(run: RunRecord, events: readonly NewRunEvent[]): RunRecord {
    for (const event of events) this.addEvent(run, event);
    this.#job.viewers.broadcast({ type: 'run', run: runResource(this.#job.name, run) });
    this.#job.outbox.add('run', run.id, run.seq);
    return run;
  }
}
