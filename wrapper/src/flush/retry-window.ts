/**
 * For how long it is tried to send what is left: each run for as long, from when it was first seen. A job of every night
 * would otherwise leave its end to a process that was started the night before, and is about to give up.
 */
export class RetryWindow {
  readonly #windowMs: number;
  #until: number;
  #known: ReadonlySet<string> = new Set();

  /** @param now milliseconds on any monotonic clock, the same for all calls */
  constructor(forMs: number, now: number) {
    this.#windowMs = forMs;
    this.#until = now + forMs;
  }

  /**
   * These runs are left now.
   *
   * @returns whether one of them is new
   */
  addRuns(runs: readonly string[], now: number): boolean {
    const isNew = runs.some((run) => !this.#known.has(run));
    if (isNew) this.#until = now + this.#windowMs;
    this.#known = new Set(runs);
    return isNew;
  }

  isOver(now: number): boolean {
    return now >= this.#until;
  }
}
