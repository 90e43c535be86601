/**
 * Loads many keys with one query: a key that arrives during a query is part of the next one, never of the running one,
 * so that no value is older than its request.
 *
 * Only for use inside of one Durable Object. In the stateless Worker a promise belongs to the request that made it: if
 * that one's client hangs up, the others that wait for the promise never continue.
 */
import { TimeoutError, withTimeout } from '#shared/with-timeout';
import { d1Failure } from '../../shared/d1/failure.ts';

interface Load<Key, Value> {
  readonly key: Key;
  readonly weight: number;
  resolve(answer: Value): void;
  reject(error: unknown): void;
}

export interface BatchOptions<Key, Value> {
  /** Names the query in errors. */
  readonly name: string;
  /** @returns a value for each key, in their order */
  loadBatch(keys: readonly Key[]): Promise<readonly Value[]>;
  /** How much one key adds to a query. */
  weigh(key: Key): number;
  /** A query is no heavier than this, unless a single key is. */
  readonly maxWeight: number;
}

/** Longer than all D1 calls of a query together may take. */
const QUERY_LIMIT_MS = 15_000;

export class BatchLoader<Key, Value> {
  readonly #options: BatchOptions<Key, Value>;
  #waiting: Load<Key, Value>[] = [];
  #isRunning = false;

  constructor(options: BatchOptions<Key, Value>) {
    this.#options = options;
  }

  /** Rejects if the query with this key failed. */
  load(key: Key): Promise<Value> {
    return new Promise((resolve, reject) => {
      // Weighed here, a key that can't be weighed fails alone: later it would block all the others.
      this.#waiting.push({ key, weight: this.#options.weigh(key), resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  /** One query at a time, until none waits. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) await this.#load(this.#nextBatch());
    this.#isRunning = false;
  }

  #nextBatch(): Load<Key, Value>[] {
    let weight = 0;
    const end = this.#waiting.findIndex((waiting, index) => {
      weight += waiting.weight;
      return index > 0 && weight > this.#options.maxWeight;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /** Resolves or rejects each of them. Never throws. */
  async #load(batch: readonly Load<Key, Value>[]): Promise<void> {
    try {
      const keys = batch.map(({ key }) => key);
      const values = await withTimeout(this.#options.loadBatch(keys), QUERY_LIMIT_MS, { what: this.#options.name });
      batch.forEach((waiting, index) => {
        // One value for each key, in their order.
        waiting.resolve(values[index] as Value);
      });
    } catch (error) {
      if (d1Failure(error) === 'rejected' && batch.length > 1) await this.#loadHalves(batch);
      // D1 does not respond: those that wait would wait in vain, and retry after a pause.
      else if (isTimeout(error)) reject([...batch, ...this.#waiting.splice(0)], error);
      else reject(batch, error);
    }
  }

  /** D1 is available and rejected the query, so one of the keys is at fault: the others must not fail with it. */
  async #loadHalves(batch: readonly Load<Key, Value>[]): Promise<void> {
    const middle = batch.length >> 1;
    await this.#load(batch.slice(0, middle));
    await this.#load(batch.slice(middle));
  }
}

function reject(batch: readonly Load<unknown, never>[], error: unknown): void {
  for (const waiting of batch) waiting.reject(error);
}

/** Of this query, or of one of its calls to D1. */
function isTimeout(error: unknown): boolean {
  return error instanceof TimeoutError || (error instanceof Error && error.cause instanceof TimeoutError);
}
