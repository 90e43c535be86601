/**
 * Passes on what has happened to the alerts object: the kinds that its rules need, and nothing while there are no rules.
 *
 * It begins when they arrive, beside the commit to D1, and neither waits for the other: an alert does not need D1, and a commit
 * does not wait for the alerts object. What that has not taken by the time of the commit is kept here, because the job's object
 * won't send it again; if the commit fails, the job's object sends it again. An occurrence that arrives twice is taken once.
 */
import type { Occurrence } from '#protocol/alerts';
import { withTimeout } from '#shared/with-timeout';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { callAlerts, type WantedKinds } from '../../shared/rpc/alerts-object.ts';
import { BatchLoader } from './batch-loader.ts';

const WANTED = 'wanted_kinds';
/** Before the number of each kept batch. */
const KEPT = 'kept_occurrences/';
const CALL_LIMIT_MS = 10_000;
const RETRY_MS = 5_000;
/** A value has room for two megabytes: an occurrence is about 500 bytes. */
const MAX_PER_CALL = 500;
/** More are dropped, the oldest first: an alerts object that takes nothing must not fill this one. */
const MAX_KEPT_BATCHES = 10_000;
const DIGITS = 12;

/** Occurrences on their way to the alerts object. */
export interface Handover {
  readonly occurrences: readonly Occurrence[];
  isTaken: boolean;
  /** Set once they are kept. */
  kept: KeptHandovers | null;
}

/** What was kept together: it may go when all of it is taken. */
interface KeptHandovers {
  readonly keys: readonly string[];
  readonly handovers: readonly Handover[];
}

export class AlertForwarding {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;
  #isRetrying = false;
  /** No number is used twice: who is done with a batch must not remove another one. */
  #lastNumber = 0;

  /** One call at a time: a storm is a few calls. If it is not answered, those that wait are not sent either. */
  readonly #reports = new BatchLoader<readonly Occurrence[], true>({
    name: 'the call of the alerts object',
    weigh: ({ length }) => length,
    maxWeight: MAX_PER_CALL,
    loadBatch: async (all) => {
      await this.#report(all.flat());
      return all.map(() => true);
    },
  });

  constructor(storage: DurableObjectStorage, env: Env) {
    this.#storage = storage;
    this.#env = env;
  }

  /** Which kinds are wanted. An older statement changes nothing. */
  setWanted(wanted: WantedKinds): void {
    const known = this.#wanted();
    if (wanted.version > known.version) this.#storage.kv.put(WANTED, wanted);
  }

  /** Starts to pass them on. */
  start(occurrences: readonly Occurrence[]): Handover {
    const { kinds } = this.#wanted();
    const wanted = occurrences.filter(({ kind }) => kinds.includes(kind));
    const handover: Handover = { occurrences: wanted, isTaken: wanted.length === 0, kept: null };
    if (!handover.isTaken) void this.#pass(handover);
    return handover;
  }

  /** D1 has the changes that they came with: what is not taken yet is kept. */
  committed(all: readonly Handover[]): void {
    const handovers = all.filter(({ isTaken }) => !isTaken);
    if (handovers.length === 0) return;
    const kept = { keys: this.#keep(handovers.flatMap(({ occurrences }) => occurrences)), handovers };
    for (const handover of handovers) handover.kept = kept;
  }

  /** When kept ones are to be sent again; null: none are kept. */
  get retryAt(): number | null {
    return this.#oldest() === null ? null : Date.now() + RETRY_MS;
  }

  /** Sends what is kept, oldest first. Never throws. */
  async retry(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    try {
      for (let batch = this.#oldest(); batch !== null; batch = this.#oldest()) {
        const [key, occurrences] = batch;
        await this.#reports.load(occurrences);
        this.#storage.kv.delete(key);
      }
    } catch {
      // It is logged, and stays: the alarm is set for as long as anything does.
    } finally {
      this.#isRetrying = false;
    }
  }

  /** Never rejects. */
  async #pass(handover: Handover): Promise<void> {
    try {
      await Promise.all(chunks(handover.occurrences).map((some) => this.#reports.load(some)));
    } catch {
      // It is logged; what is committed is kept.
      return;
    }
    handover.isTaken = true;
    const { kept } = handover;
    if (kept?.handovers.every(({ isTaken }) => isTaken)) for (const key of kept.keys) this.#storage.kv.delete(key);
  }

  /** @throws if the alerts object may not have taken them */
  async #report(occurrences: readonly Occurrence[]): Promise<void> {
    try {
      const call = callAlerts(this.#env, async (alerts) => await alerts.report(occurrences));
      this.setWanted(await withTimeout(call, CALL_LIMIT_MS, { what: 'the alerts object' }));
    } catch (error) {
      log.error('occurrences_not_passed_on', error, { occurrences: occurrences.length });
      throw error;
    }
  }

  /** @returns by which keys they are kept */
  #keep(occurrences: readonly Occurrence[]): string[] {
    const [newest] = this.#kept({ reverse: true, limit: 1 });
    this.#lastNumber = Math.max(this.#lastNumber, newest === undefined ? 0 : numberOf(newest[0]));
    const keys = chunks(occurrences).map((some) => {
      this.#lastNumber += 1;
      const key = keyOf(this.#lastNumber);
      this.#storage.kv.put(key, some);
      return key;
    });
    this.#dropOldest();
    return keys;
  }

  #dropOldest(): void {
    let dropped = 0;
    for (let batch = this.#oldest(); batch !== null; batch = this.#oldest()) {
      const [key, occurrences] = batch;
      if (this.#lastNumber - numberOf(key) < MAX_KEPT_BATCHES) break;
      this.#storage.kv.delete(key);
      dropped += occurrences.length;
    }
    if (dropped > 0) log.warn('occurrences_dropped', { occurrences: dropped });
  }

  #oldest(): [string, readonly Occurrence[]] | null {
    return this.#kept({ limit: 1 })[0] ?? null;
  }

  #kept(options: { readonly limit: number; readonly reverse?: boolean }): [string, readonly Occurrence[]][] {
    return [...this.#storage.kv.list<readonly Occurrence[]>({ prefix: KEPT, ...options })];
  }

  #wanted(): WantedKinds {
    return this.#storage.kv.get<WantedKinds>(WANTED) ?? { version: 0, kinds: [] };
  }
}

function keyOf(number: number): string {
  return `${KEPT}${String(number).padStart(DIGITS, '0')}`;
}

function numberOf(key: string): number {
  return Number(key.slice(KEPT.length));
}

function chunks(occurrences: readonly Occurrence[]): Occurrence[][] {
  const count = Math.ceil(occurrences.length / MAX_PER_CALL);
  return Array.from({ length: count }, (_, index) =>
    occurrences.slice(index * MAX_PER_CALL, (index + 1) * MAX_PER_CALL),
  );
}
