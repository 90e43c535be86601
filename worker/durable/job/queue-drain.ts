/** Accepts the kills that are still in this job's queue in D1: those whose push to this object failed. */

import { withJitter } from '#shared/with-jitter';
import { log } from '../../shared/log.ts';
import { unacceptedKills } from '../../shared/rpc/d1-gateway.ts';
import type { JobContext } from './job-context.ts';

/** At most this often, however many wrappers connect. */
const INTERVAL_MS = 10_000;

export class QueueDrain {
  readonly #job: JobContext;
  #ranAt = 0;
  /** How many drains are running. */
  #running = 0;

  constructor(job: JobContext) {
    this.#job = job;
  }

  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Runs now, or by alarm if it ran a moment ago. */
  async runSoon(): Promise<void> {
    const waitMs = this.#ranAt + INTERVAL_MS - Date.now();
    if (waitMs <= 0) await this.run();
    else this.#job.deadlines.armIfUnset('drain', '', Date.now() + waitMs);
  }

  /** Never throws: after a failure the alarm tries again. */
  async run(): Promise<void> {
    this.#ranAt = Date.now();
    this.#running += 1;
    try {
      for (let after: string | undefined = ''; after !== undefined; ) {
        const kills = await unacceptedKills(this.#job.env, this.#job.name, after);
        this.#job.killController.accept(kills);
        after = kills.at(-1)?.id;
      }
    } catch (error) {
      log.error('drain_failed', error, { job: this.#job.name });
      this.#job.deadlines.arm('drain', '', Date.now() + withJitter(INTERVAL_MS));
    } finally {
      this.#running -= 1;
    }
  }
}
