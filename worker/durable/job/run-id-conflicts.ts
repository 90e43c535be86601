/**
 * Runs of other jobs that were reported with the id of one of this job's. An id isn't secret once a run is listed, so a
 * caller that may report runs of one job can use the id of another's: each job keeps its own run, and both get an
 * event.
 */
import { log } from '../../shared/log.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import type { JobContext } from './job-context.ts';

/** An id that is reported under a thousand names must not fill a run's events. */
const MAX_CONFLICT_EVENTS = 10;

export class RunIdConflicts {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Records that another job has a run with this id, once. @returns whether that is new */
  record(id: string, otherJob: string): boolean {
    const run = this.#job.runs.get(id);
    if (run === null) return false;
    const known = this.#job.events.conflictingJobs(id, MAX_CONFLICT_EVENTS);
    if (known.length === MAX_CONFLICT_EVENTS || known.includes(otherJob)) return false;
    this.#job.runUpdater.addEvents(run, { type: 'run_conflict', at: new Date().toISOString(), job: otherJob });
    log.warn('run_conflict', { job: this.#job.name, run: id, other: otherJob });
    return true;
  }

  /** The same in both jobs: the other would learn of it only with the next change of its run. */
  recordInBoth(id: string, otherJob: string): void {
    if (!this.record(id, otherJob)) return;
    const call = callJob(this.#job.env, otherJob, (object) => object.recordRunIdConflict(id, this.#job.name));
    this.#job.state.waitUntil(
      call.catch((error: unknown) => log.error('run_conflict_not_sent', error, { job: otherJob })),
    );
  }
}
