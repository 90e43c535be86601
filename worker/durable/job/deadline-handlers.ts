/** What the object does when a deadline is due. */
import { log } from '../../shared/log.ts';
import type { Deadline } from './alarm-scheduler.ts';
import type { JobContext } from './job-context.ts';
import { hasLeftProcesses } from './run-store.ts';

const RETRY_MS = 5_000;

export class DeadlineHandlers {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Handles what is due, and sets the next alarm. */
  runDue(): void {
    const { deadlines } = this.#job;
    for (const deadline of deadlines.removeDue(Date.now())) {
      const { kind, subject } = deadline;
      try {
        this.#job.storage.transaction(() => this.#handle(deadline));
      } catch (error) {
        // One that fails must not stop the others.
        log.error('deadline_failed', error, { job: this.#job.name, kind, subject });
        deadlines.arm(kind, subject, Date.now() + RETRY_MS);
      }
    }
    this.#job.viewers.closeBehind();
    deadlines.ensureAlarm();
  }

  #handle(deadline: Deadline): void {
    const { state, liveness, killController, credentials } = this.#job;
    switch (deadline.kind) {
      case 'silence':
        liveness.checkSilence();
        return;
      case 'viewers':
        this.#job.viewers.closeSilent();
        return;
      case 'probe':
        liveness.probeDue(deadline);
        return;
      case 'disconnect':
        liveness.disconnectDue(deadline);
        return;
      case 'witness':
        liveness.stayUntilDecided();
        return;
      case 'kill_answer':
        this.#killUnanswered(deadline.subject);
        return;
      case 'expire':
        killController.expire(deadline.subject);
        return;
      case 'outbox':
        this.#job.outbox.resume();
        return;
      case 'drain':
        state.waitUntil(this.#job.queueDrain.run());
        return;
      case 'trim':
        this.#job.outputQuota.trimStep(deadline.subject);
        return;
      case 'archive':
        state.waitUntil(this.#job.outputArchive.step());
        return;
      case 'purge':
        state.waitUntil(this.#job.outputArchive.purge(deadline.subject));
        return;
      case 'expectation':
        state.waitUntil(this.#job.expectations.check(deadline));
        return;
      case 'slow':
        this.#job.slowRuns.due(deadline.subject);
        return;
      case 'retain':
        this.#job.retention.step();
        state.waitUntil(this.#job.storage.clearIfUnused());
        return;
      case 'credential_check':
        state.waitUntil(credentials.check(deadline.subject));
        return;
      case 'credential_end':
        credentials.endDue();
        return;
    }
  }

  #killUnanswered(id: string): void {
    const run = this.#job.runs.get(id);
    if (run === null || (run.final && !hasLeftProcesses(run))) return;
    if (this.#job.killController.unanswered(run)) this.#job.liveness.dropLink(run);
  }
}
