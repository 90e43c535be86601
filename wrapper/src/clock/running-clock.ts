/**
 * A clock for how long others are waited for. It counts time in which this process ran: where a machine is so busy that we
 * get no turn for a second, nobody has kept us waiting for that second, and what we wait for may be there already.
 */
import { performance } from 'node:perf_hooks';

/** How often a turn is asked for. */
export const TURN_MS = 50;
/** What a turn that comes late counts for. */
const LATE_TURN_MS = 2 * TURN_MS;

export class RunningClock {
  /** Called at each turn. */
  onTurn: () => void = () => {};
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #countedMs = 0;
  #turnedAt: number;

  /** Goes from 0 on, until it is stopped. */
  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#turnedAt = now();
    this.#timer = setInterval(() => {
      this.#count();
      this.onTurn();
    }, TURN_MS);
  }

  /** In ms. */
  now(): number {
    return this.#countedMs + this.#sinceTurn();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #count(): void {
    this.#countedMs = this.now();
    this.#turnedAt = this.#now();
  }

  #sinceTurn(): number {
    return Math.min(LATE_TURN_MS, this.#now() - this.#turnedAt);
  }
}

/** What `promise` resolves with, or `otherwise` when that takes longer than `ms` in which we run. Rejects as it does. */
export async function withinRunning<Value>(promise: Promise<Value>, ms: number, otherwise: Value): Promise<Value> {
  const clock = new RunningClock();
  const late = new Promise<Value>((resolve) => {
    clock.onTurn = () => {
      if (clock.now() >= ms) resolve(otherwise);
    };
  });
  return Promise.race([promise, late]).finally(() => clock.stop());
}
