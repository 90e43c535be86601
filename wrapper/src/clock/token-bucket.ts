/** A rate limit: a burst, and then a number a second. */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perMs: number;
  readonly #now: () => number;
  #level: number;
  #filledAt: number;

  /**
   * @param capacity the number of tokens at first, and at most
   * @param now milliseconds on a clock that never goes back
   */
  constructor(capacity: number, perSecond: number, now: () => number) {
    this.#capacity = capacity;
    this.#perMs = perSecond / 1_000;
    this.#now = now;
    this.#level = capacity;
    this.#filledAt = now();
  }

  /** Takes tokens; takes none and returns false when there are fewer. */
  take(count = 1): boolean {
    this.#fill();
    if (this.#level < count) return false;
    this.#level -= count;
    return true;
  }

  /** Adds tokens. */
  add(count: number): void {
    this.#fill();
    this.#level = Math.min(this.#capacity, this.#level + count);
  }

  /** How long until there is a token; 0 when there is one. */
  get waitMs(): number {
    this.#fill();
    return Math.max(0, (1 - this.#level) / this.#perMs);
  }

  #fill(): void {
    const now = this.#now();
    this.#level = Math.min(this.#capacity, this.#level + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
  }
}
