/**
 * Passes on what has happened to the alerts object: the kinds that its rules need, and nothing while there are no rules.
 *
 * It happens beside the commit to D1, and neither waits for the other: an alert does not need D1, and a commit does not wait
 * for the alerts object. What that has not taken by the time of the commit is kept here, because the job's object won't send
 * it again; if the commit fails, the job's object sends it again. An occurrence that arrives twice is taken once.
 */
import type { Occurrence } from '#protocol/alerts';
import { withTimeout } from '#shared/with-timeout';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { callAlerts, type WantedKinds } from '../../shared/rpc/alerts-object.ts';

const WANTED = 'wanted_kinds';
/** Before the number of each kept batch. */
const KEPT = 'kept_occurrences/';
const CALL_LIMIT_MS = 10_000;
const RETRY_MS = 5_000;
/** A value has room for two megabytes: an occurrence is about 500 bytes. */
const MAX_PER_CALL = 500;
/** More are dropped, the oldest first: an alerts object that takes nothing must not fill this one. */
const MAX_KEPT_BATCHES = 1_000;
const DIGITS = 12;

/** Occurrences on their way. */
export interface Handover {
  /** To be called when D1 has the changes: keeps what the alerts object has not taken yet. */
  committed(): void;
}

const NOTHING: Handover = { committed: () => undefined };

export class AlertForwarding {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;
  #isRetrying = false;

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
    if (wanted.length === 0) return NOTHING;
    let isTaken = false;
    let kept: string[] = [];
    void this.#report(wanted).then((taken) => {
      isTaken = taken;
      if (taken) for (const key of kept) this.#storage.kv.delete(key);
    });
    return {
      committed: () => {
        if (!isTaken) kept = this.#keep(wanted);
      },
    };
  }

  /** When kept ones are to be sent again; null: none are kept. */
  get retryAt(): number | null {
    return this.#oldest(1).length === 0 ? null : Date.now() + RETRY_MS;
  }

  /** Sends what is kept, oldest first. Never throws. */
  async retry(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    try {
      for (let [batch] = this.#oldest(1); batch !== undefined; [batch] = this.#oldest(1)) {
        const [key, occurrences] = batch;
        if (!(await this.#report(occurrences))) break;
        this.#storage.kv.delete(key);
      }
    } finally {
      this.#isRetrying = false;
    }
  }

  /** Never rejects. @returns whether they are taken */
  async #report(occurrences: readonly Occurrence[]): Promise<boolean> {
    try {
      for (const some of chunks(occurrences)) {
        const call = callAlerts(this.#env, async (alerts) => await alerts.report(some));
        this.setWanted(await withTimeout(call, CALL_LIMIT_MS, { what: 'the alerts object' }));
      }
      return true;
    } catch (error) {
      log.error('occurrences_not_passed_on', error, { occurrences: occurrences.length });
      return false;
    }
  }

  /** @returns by which keys they are kept */
  #keep(occurrences: readonly Occurrence[]): string[] {
    const batches = [...this.#storage.kv.list<Occurrence[]>({ prefix: KEPT })].map(([key]) => key);
    const last = Number(batches.at(-1)?.slice(KEPT.length) ?? 0);
    const kept = chunks(occurrences).map((some, index) => {
      const key = `${KEPT}${String(last + 1 + index).padStart(DIGITS, '0')}`;
      this.#storage.kv.put(key, some);
      return key;
    });
    const dropped = batches.slice(0, Math.max(0, batches.length + kept.length - MAX_KEPT_BATCHES));
    for (const key of dropped) this.#storage.kv.delete(key);
    if (dropped.length > 0) log.warn('occurrences_dropped', { batches: dropped.length });
    return kept;
  }

  #oldest(limit: number): [string, Occurrence[]][] {
    return [...this.#storage.kv.list<Occurrence[]>({ prefix: KEPT, limit })];
  }

  #wanted(): WantedKinds {
    return this.#storage.kv.get<WantedKinds>(WANTED) ?? { version: 0, kinds: [] };
  }
}

function chunks(occurrences: readonly Occurrence[]): Occurrence[][] {
  const count = Math.ceil(occurrences.length / MAX_PER_CALL);
  return Array.from({ length: count }, (_, index) =>
    occurrences.slice(index * MAX_PER_CALL, (index + 1) * MAX_PER_CALL),
  );
}
