/** setTimeout reads a delay above 2^31-1 ms (24.8 days) as 1 ms: a long limit would kill at once. */
const LONGEST_TIMER_MS = 2 ** 30;

/** A timer for any moment, however far off; setting it again replaces the previous moment. */
export class LongTimer {
  readonly #now: () => number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param now milliseconds on the clock that `set` uses */
  constructor(now: () => number, ring: () => void) {
    this.#now = now;
    this.#ring = ring;
  }

  /** Rings at `at` (or as soon as possible when that is past), or never for null. */
  set(at: number | null): void {
    this.clear();
    if (at === null || at === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.ceil(at - this.#now()));
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        if (this.#now() < at) this.set(at);
        else this.#ring();
      },
      Math.min(wait, LONGEST_TIMER_MS),
    );
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
