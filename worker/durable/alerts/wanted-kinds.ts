/**
 * Which occurrences the rules need. The gateway through which all changes go passes on these kinds and no others, so that
 * without rules nothing is called and written.
 */
import type { OccurrenceKind } from '#protocol/alerts';
import { log } from '../../shared/log.ts';
import type { WantedKinds as Wanted } from '../../shared/rpc/alerts-object.ts';
import { setWantedKinds } from '../../shared/rpc/d1-gateway.ts';
import type { AlertsContext } from './alerts-context.ts';

const RETRY_MS = 10_000;
const KEY = 'wanted';

interface StoredKinds extends Wanted {
  /** Whether the gateway has them. */
  readonly isPushed: boolean;
}

export class WantedKinds {
  readonly #alerts: AlertsContext;
  #retryAt: number | null = null;

  constructor(alerts: AlertsContext) {
    this.#alerts = alerts;
  }

  get #stored(): StoredKinds {
    return this.#alerts.state.storage.kv.get<StoredKinds>(KEY) ?? { version: 0, kinds: [], isPushed: true };
  }

  /** As of now, from rules and problems. */
  current(): OccurrenceKind[] {
    const kinds = new Set<OccurrenceKind>(this.#alerts.rules.all().flatMap((rule) => rule.kinds));
    // It is made here, of `fine`; which is of use only while something is wrong.
    if (kinds.delete('recovered') && !this.#alerts.problems.isEmpty()) kinds.add('fine');
    kinds.delete('channel_broken');
    return [...kinds].sort();
  }

  /** Notes a change, to be pushed. @returns what is to be pushed */
  update(): Wanted {
    const stored = this.#stored;
    const kinds = this.current();
    if (kinds.join() === stored.kinds.join()) return stored;
    const changed = { version: stored.version + 1, kinds, isPushed: false };
    this.#alerts.state.storage.kv.put(KEY, changed);
    return changed;
  }

  nextDue(now: number): number | null {
    return this.#stored.isPushed ? null : (this.#retryAt ?? now);
  }

  /** Has the gateway know what is wanted. Never rejects: after a failure it is tried again. */
  async push(): Promise<void> {
    const wanted = this.#stored;
    if (wanted.isPushed) return;
    this.#retryAt = Date.now() + RETRY_MS;
    try {
      await setWantedKinds(this.#alerts.env, { version: wanted.version, kinds: wanted.kinds });
      this.#retryAt = null;
      if (this.#stored.version === wanted.version) {
        this.#alerts.state.storage.kv.put(KEY, { ...wanted, isPushed: true });
      }
    } catch (error) {
      log.error('wanted_kinds_not_pushed', error);
    }
  }
}
