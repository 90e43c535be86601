/** How much may happen: so much at once, and from then on so much a second. */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perMs: number;
  readonly #now: () => number;
  #level: number;
  #filledAt: number;

  /**
   * @param capacity what it holds at first, and at most
   * @param now milliseconds on a clock that never goes back
   */
  constructor(capacity: number, perSecond: number, now: () => number) {
    this.#capacity = capacity;
    this.#perMs = perSecond / 1_000;
    this.#now = now;
    this.#level = capacity;
    this.#filledAt = now();
  }

  /** Takes so many; false, and none, when there are fewer. */
  take(count = 1): boolean {
    this.#fill();
    if (this.#level < count) return false;
    this.#level -= count;
    return true;
  }

  /** Puts some back, or in. */
  add(count: number): void {
    this.#fill();
    this.#level = Math.min(this.#capacity, this.#level + count);
  }

  /** How long until there is one; 0: there is. */
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
