/**
 * Whether dashboards are open, so that changes need not be published while none is.
 *
 * Stored, because the gateway sleeps between two changes. The fleet object reports a viewer before it lets it in, and a
 * dashboard fetches what D1 has after that: a change that was not published before the report was in D1 by then. That the
 * last viewer has gone shows when changes are published to none.
 */
const KEY = 'watched';

export class ViewerPresence {
  readonly #storage: DurableObjectStorage;
  #arrivals = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Whether a viewer may be connected; also while that is unknown. */
  get isPossible(): boolean {
    return this.#storage.kv.get<boolean>(KEY) ?? true;
  }

  /** How many viewers have been reported to this instance: tells whether one arrived during a call. */
  get arrivals(): number {
    return this.#arrivals;
  }

  arrived(): void {
    this.#arrivals += 1;
    if (this.#storage.kv.get<boolean>(KEY) !== true) this.#storage.kv.put(KEY, true);
  }

  /** @param arrivals at the time of the question to which the fleet object answered that nobody watches */
  noneLeft(arrivals: number): void {
    if (arrivals === this.#arrivals) this.#storage.kv.put(KEY, false);
  }
}
