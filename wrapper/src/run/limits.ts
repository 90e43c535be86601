/** The limits a run sets itself: how long it may take, how long it may be silent, how long it may go unsupervised. */
import { Alarm } from '../clock/alarm.ts';

export type LimitKind = 'timeout' | 'idle_timeout' | 'offline_limit';

/** Milliseconds; null: no limit. */
export interface LimitsMs {
  readonly timeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
  readonly maxOfflineMs: number | null;
}

export interface LimitsContext {
  /** The run's age in ms. */
  readonly age: () => number;
  /** Since which age the control plane has been out of reach; null while it is not. */
  readonly offlineSince: () => number | null;
  /** Whether the command can't print because whoever reads our own output doesn't: that is no silence of its own. */
  readonly isHeldUp: () => boolean;
  readonly onReached: (limit: LimitKind) => void;
}

export class Limits {
  readonly #age: () => number;
  readonly #alarms: readonly Alarm[];
  #outputAt = 0;

  constructor(limits: LimitsMs, { age, offlineSince, isHeldUp, onReached }: LimitsContext) {
    this.#age = age;
    const recurring = (limitMs: number | null, kind: LimitKind, since: () => number | null): Alarm => {
      // What it counts from moves while it waits: it looks again when it rings.
      const alarm: Alarm = new Alarm(age, () => {
        const from = since() ?? age();
        const due = from + (limitMs ?? Number.POSITIVE_INFINITY);
        if (age() >= due) onReached(kind);
        else alarm.set(due);
      });
      alarm.set(limitMs);
      return alarm;
    };
    this.#alarms = [
      recurring(limits.timeoutMs, 'timeout', () => 0),
      recurring(limits.idleTimeoutMs, 'idle_timeout', () => (isHeldUp() ? null : this.#outputAt)),
      recurring(limits.maxOfflineMs, 'offline_limit', offlineSince),
    ];
  }

  /** The command has printed something. */
  outputCame(): void {
    this.#outputAt = this.#age();
  }

  /** The command is over. */
  clear(): void {
    for (const alarm of this.#alarms) alarm.clear();
  }
}
