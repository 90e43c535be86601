/** The one way in which a run changes: stored, sent to viewers, and added to the outbox. */
import type { NewRunEvent, RunEvent } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { type EventFields, type KillStep, NO_EVENTS } from './event-store.ts';
import type { JobContext } from './job-context.ts';
import type { RunRecord } from './run-store.ts';
import { runResource } from './run-store.ts';

/** A run before it is stored: it has no events, and D1 does not have it. */
export type NewRun = Omit<RunRecord, keyof EventFields | 'sentSeq' | 'settled'>;

export class RunUpdater {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** A new run. */
  insert(run: NewRun, ...events: NewRunEvent[]): RunRecord {
    const { added, fields } = this.#job.events.append(run.id, NO_EVENTS, events);
    const inserted = { ...run, ...fields, sentSeq: 0, settled: false };
    this.#job.runs.insert(inserted);
    return this.#announce(inserted, added);
  }

  /** Changes a run, and records what happened to it. */
  update(run: RunRecord, changes: Partial<RunRecord>, ...events: NewRunEvent[]): RunRecord {
    const { added, fields } = this.#append(run, events);
    const counted = { ...changes, ...fields, seq: run.seq + 1 };
    this.#job.runs.patch(run.id, counted);
    return this.#announce({ ...run, ...counted }, added);
  }

  /** Records events that leave the run as it is. */
  addEvents(run: RunRecord, ...events: NewRunEvent[]): void {
    if (events.length === 0) return;
    const { added, fields } = this.#append(run, events);
    this.#job.runs.patch(run.id, fields);
    this.#showEvents(run, added);
  }

  /** Whether this step of a kill was recorded before. */
  hasStep(run: RunRecord, step: KillStep): boolean {
    return this.#job.events.hasStep(run.id, step);
  }

  #append({ id }: RunRecord, events: readonly NewRunEvent[]) {
    return events.length === 0
      ? { added: [], fields: {} }
      : this.#job.events.append(id, this.#job.events.fieldsOf(id), events);
  }

  #showEvents(run: RunRecord, events: readonly RunEvent[]): void {
    for (const event of events) this.#job.viewers.event(run.id, event);
  }

  #announce(run: RunRecord, events: readonly RunEvent[]): RunRecord {
    this.#job.slowRuns.runChanged(run);
    this.#showEvents(run, events);
    this.#job.viewers.broadcast({ type: 'run', run: runResource(this.#job.name, run) });
    if (isLive(run.state)) this.#job.outbox.addDelayed('run', run.id, run.seq);
    else this.#job.outbox.add('run', run.id, run.seq);
    return run;
  }
}
