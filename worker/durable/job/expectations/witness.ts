/**
 * Whether this instance of the object would have heard of a run that started.
 *
 * The control plane may have been away, with this object. Wrappers are back within the disconnect deadline, so only an
 * instance that has been reachable for that long may say that a run has not started.
 */
export class Witness {
  readonly #neededMs: number;
  #since = Date.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(neededMs: number) {
    this.#neededMs = neededMs;
  }

  /** From when on it may judge. */
  get readyAt(): number {
    return this.#since + this.#neededMs;
  }

  /** The control plane was away until now. */
  restart(): void {
    this.#since = Date.now();
  }

  /** Keeps the object in memory: a pending timer does. */
  stayUntil(time: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {}, time - Date.now() + ALARM_DELAY_MS);
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** An alarm may fire this much after its time. */
const ALARM_DELAY_MS = 1_000;
