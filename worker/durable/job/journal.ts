/** The one way in which a run changes: stored, told to viewers, and noted for D1. */
import type { NewRunEvent } from '#protocol/api';
import type { EventLog, KillStep } from './event-log.ts';
import type { Outbox } from './outbox.ts';
import type { RunRecord, RunStore } from './run-store.ts';
import { runResource } from './run-store.ts';
import type { Viewers } from './viewers.ts';

export class Journal {
  readonly #job: string;
  readonly #runs: RunStore;
  readonly #events: EventLog;
  readonly #viewers: Viewers;
  readonly #outbox: Outbox;

  constructor(job: string, runs: RunStore, events: EventLog, viewers: Viewers, outbox: Outbox) {
    this.#job = job;
    this.#runs = runs;
    this.#events = events;
    this.#viewers = viewers;
    this.#outbox = outbox;
  }

  /** A run that was not known before. */
  open(run: RunRecord, ...events: NewRunEvent[]): RunRecord {
    this.#runs.insert(run);
    return this.#announce(run, events);
  }

  /** Changes a run and says what happened to it. */
  change(run: RunRecord, changes: Partial<RunRecord>, ...events: NewRunEvent[]): RunRecord {
    const counted = { ...changes, seq: run.seq + 1 };
    this.#runs.patch(run.id, counted);
    return this.#announce({ ...run, ...counted }, events);
  }

  /** Says that something happened which leaves the run as it is. */
  tell(run: RunRecord, event: NewRunEvent): void {
    this.#viewers.event(run.id, this.#events.append(run.id, event));
  }

  /** Whether this step of ending the run was told before. */
  hasToldStep(run: RunRecord, step: KillStep): boolean {
    return this.#events.hasStep(run.id, step);
  }

  #announce(run: RunRecord, events: readonly NewRunEvent[]): RunRecord {
    for (const event of events) this.tell(run, event);
    this.#viewers.run(runResource(this.#job, run));
    this.#outbox.note('run', run.id, run.seq);
    return run;
  }
}
