/** Takes what the queue in D1 holds for this job: what a call that failed left behind. */
import type { Kill } from '#protocol/api';
import { withJitter } from '#shared/with-jitter';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { queuedKills } from '../../shared/rpc/d1-gateway.ts';
import type { DeadlineBook } from './deadlines.ts';

/** At most this often, however many wrappers connect. */
const INTERVAL_MS = 10_000;

export class QueueDrain {
  readonly #env: Env;
  readonly #job: string;
  readonly #deadlines: DeadlineBook;
  readonly #accept: (kill: Kill) => void;
  #ranAt = 0;
  /** How many look into the queue right now. */
  #running = 0;

  constructor(env: Env, job: string, deadlines: DeadlineBook, accept: (kill: Kill) => void) {
    this.#env = env;
    this.#job = job;
    this.#deadlines = deadlines;
    this.#accept = accept;
  }

  get isUnderWay(): boolean {
    return this.#running > 0;
  }

  /** Runs now, or by alarm when it ran a moment ago. */
  async runSoon(): Promise<void> {
    const waitMs = this.#ranAt + INTERVAL_MS - Date.now();
    if (waitMs <= 0) await this.run();
    else if (!this.#deadlines.has('drain', '')) this.#deadlines.arm('drain', '', Date.now() + waitMs);
  }

  /** Never throws: what fails is tried again by alarm. */
  async run(): Promise<void> {
    this.#ranAt = Date.now();
    this.#running += 1;
    try {
      for (let after: string | undefined = ''; after !== undefined; ) {
        const kills = await queuedKills(this.#env, this.#job, after);
        for (const kill of kills) this.#accept(kill);
        after = kills.at(-1)?.id;
      }
    } catch (error) {
      log.error('drain_failed', error, { job: this.#job });
      this.#deadlines.arm('drain', '', Date.now() + withJitter(INTERVAL_MS));
    } finally {
      this.#running -= 1;
    }
  }
}
