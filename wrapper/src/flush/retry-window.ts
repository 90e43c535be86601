/**
 * How long sending is tried: the window starts again whenever a new run is left. A nightly job would otherwise leave its
 * end to a flusher that was started the night before, and is about to give up.
 */
export class RetryWindow {
  readonly #windowMs: number;
  #until: number;
  #known: ReadonlySet<string> = new Set();

  /** @param now milliseconds on any monotonic clock, the same for all calls */
  constructor(windowMs: number, now: number) {
    this.#windowMs = windowMs;
    this.#until = now + windowMs;
  }

  /**
   * @param runs all that are unsent now
   * @returns whether one of them is new
   */
  update(runs: readonly string[], now: number): boolean {
    const isNew = runs.some((run) => !this.#known.has(run));
    if (isNew) this.#until = now + this.#windowMs;
    this.#known = new Set(runs);
    return isNew;
  }

  isOver(now: number): boolean {
    return now >= this.#until;
  }
}
