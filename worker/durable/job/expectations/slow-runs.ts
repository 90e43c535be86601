/** Notices that a run takes longer than expected. */
import { isLive } from '#protocol/run-state';
import { log } from '../../../shared/log.ts';
import type { JobContext } from '../job-context.ts';
import type { RunRecord } from '../run-store.ts';
import { ANY_MACHINE, expectedOf } from './expectation-store.ts';

export class SlowRuns {
  readonly #job: JobContext;

  constructor(job: JobContext) {
    this.#job = job;
  }

  /** Sets the deadlines of all live runs, which are only in memory. */
  setDeadlines(): void {
    if (this.#job.expectations.store.isEmpty() && !this.#job.deadlines.hasAny('slow')) return;
    for (const run of this.#job.runs.open()) this.runChanged(run);
  }

  /** A run is new, or has changed: whether it is slow is known only while its wrapper is connected. */
  runChanged(run: RunRecord): void {
    if (this.#job.expectations.store.isEmpty() && !this.#job.deadlines.has('slow', run.id)) return;
    const slowAt = this.#isWatched(run) ? this.#slowAt(run) : null;
    if (slowAt === null) this.#job.deadlines.cancel('slow', run.id);
    else this.#job.deadlines.arm('slow', run.id, slowAt);
  }

  /** The `slow` deadline. */
  due(id: string): void {
    const run = this.#job.runs.get(id);
    if (run === null || !this.#isWatched(run)) return;
    const slowAt = this.#slowAt(run);
    if (slowAt === null) return;
    const now = Date.now();
    this.#job.runUpdater.update(
      run,
      { slowSince: slowAt },
      { type: 'slow', at: new Date(now).toISOString(), after_ms: slowAt - run.startedAt },
    );
    log.warn('run_slow', { job: this.#job.name, run: id, machine: run.machine, after_ms: slowAt - run.startedAt });
  }

  /** Since when a run that ends was slow: its wrapper may have been disconnected at that time. */
  slowSinceAtEnd(run: RunRecord, endedAt: number): number | null {
    if (run.slowSince !== null || !hasBegun(run) || this.#job.expectations.store.isEmpty()) return run.slowSince;
    const slowAt = this.#slowAt(run);
    return slowAt !== null && endedAt > slowAt ? slowAt : null;
  }

  #isWatched(run: RunRecord): boolean {
    return isLive(run.state) && hasBegun(run) && run.connected && run.slowSince === null;
  }

  #slowAt({ machine, startedAt }: RunRecord): number | null {
    for (const name of [machine, ANY_MACHINE]) {
      const known = this.#job.expectations.store.get(name);
      const slowAfterMs = known === null ? null : expectedOf(known).slow_after_ms;
      if (slowAfterMs !== null) return startedAt + slowAfterMs;
    }
    return null;
  }
}

/** One that asked has not run while it waited for its start, however long: also if it is killed or skipped then. */
function hasBegun({ state, askedAt, pid }: RunRecord): boolean {
  return askedAt === null || pid !== null || state === 'running';
}
