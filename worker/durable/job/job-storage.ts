/**
 * The object's storage as a whole. An object comes into being when it is asked about, even about a job that never
 * existed: so it has no tables until there is something to store, and none again when nothing is left.
 */
import { purgeJob } from '../../shared/d1/jobs.ts';
import { log } from '../../shared/log.ts';
import { fleetObject } from '../../shared/rpc/fleet-object.ts';
import type { JobContext } from './job-context.ts';
import { initializeStorage, isUninitialized } from './schema.ts';

export class JobStorage {
  readonly #job: JobContext;
  /** What is done when what is being written is certain to be stored. */
  readonly #afterCommit: (() => void)[] = [];
  /** How many transactions enclose what happens now. */
  #depth = 0;
  #isUninitialized: boolean;

  constructor(job: JobContext) {
    this.#job = job;
    this.#isUninitialized = isUninitialized(job.state.storage);
  }

  /** Whether there are no tables. */
  get isUninitialized(): boolean {
    return this.#isUninitialized;
  }

  /** Creates the tables, before the first thing is stored. */
  initialize(): void {
    if (!this.#isUninitialized) return;
    this.#job.state.storage.transactionSync(() => {
      initializeStorage(this.#job.state.storage, this.#job.name);
      this.#job.retention.schedule();
    });
    this.#isUninitialized = false;
  }

  /** Writes all or nothing. */
  transaction(write: () => void): void {
    const pending = this.#afterCommit.length;
    this.#depth += 1;
    try {
      this.#job.state.storage.transactionSync(write);
    } catch (error) {
      this.#afterCommit.splice(pending);
      // What is only in memory was not rolled back, and the rollback may have undone a setAlarm().
      this.#job.runs.rolledBack();
      this.#job.admission.rolledBack();
      this.#job.outbox.refresh();
      this.#job.liveness.setDeadlines();
      this.#job.expectations.setDeadline();
      this.#job.slowRuns.setDeadlines();
      this.#job.deadlines.alarmUnset();
      this.#job.deadlines.ensureAlarm();
      throw error;
    } finally {
      this.#depth -= 1;
    }
    if (this.#depth === 0) for (const act of this.#afterCommit.splice(0)) act();
  }

  /** Does something when the current transaction has not failed; at once if there is none. */
  afterCommit(act: () => void): void {
    if (this.#depth === 0) act();
    else this.#afterCommit.push(act);
  }

  /** Removes everything, here and in D1, when nothing is left to keep. Never throws. */
  async clearIfUnused(): Promise<void> {
    if (this.#isInUse()) return;
    const { env, name, state, credentials, deadlines, outbox } = this.#job;
    try {
      await purgeJob(env.DB, name);
      await fleetObject(env).publishJobRemoved(name);
      // A wrapper or viewer may have connected meanwhile.
      if (this.#isInUse()) return;
      await credentials.unregisterAll();
      if (this.#isInUse()) return;
      await state.blockConcurrencyWhile(async () => {
        this.#isUninitialized = true;
        deadlines.storageCleared();
        outbox.refresh();
        await state.storage.deleteAll();
      });
      log.info('job_cleared', { job: name });
    } catch (error) {
      // The next daily deadline or the next sweep tries again.
      log.error('clear_failed', error, { job: name });
    }
  }

  #isInUse(): boolean {
    const { runs, kills, expectations, outbox, queueDrain, credentials, deadlines, sockets } = this.#job;
    return (
      this.#isUninitialized ||
      !runs.isEmpty() ||
      !kills.isEmpty() ||
      !expectations.store.isEmpty() ||
      expectations.isChecking ||
      !outbox.isEmpty ||
      queueDrain.isRunning ||
      credentials.isChecking ||
      deadlines.has('drain', '') ||
      deadlines.hasAny('purge') ||
      sockets.isAnyOpen
    );
  }
}
