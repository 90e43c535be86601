/** A run's own limits: how long it may take, how long it may be silent, how long it may be offline. */
import { LongTimer } from '../clock/long-timer.ts';

/** Those that a clock decides; what the command may take is in usage/usage-meter.ts. */
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
  /** Whether the command can't print because the reader of our own output is behind: that isn't silence. */
  readonly isHeldUp: () => boolean;
  readonly onReached: (limit: LimitKind) => void;
}

export class Limits {
  readonly #age: () => number;
  readonly #alarms: readonly LongTimer[];
  #silentSince = 0;
  #isOver = false;

  constructor(limits: LimitsMs, { age, offlineSince, isHeldUp, onReached }: LimitsContext) {
    this.#age = age;
    /** @param since from which age on the limit counts; null: not now */
    const recurring = (limitMs: number | null, kind: LimitKind, since: () => number | null): LongTimer => {
      const due = () => (since() ?? age()) + (limitMs ?? Number.POSITIVE_INFINITY);
      const whenReached = (then: () => void) => {
        if (age() >= due()) then();
        // The moment that it counts from moves while it waits: check again when the limit would be reached.
        else alarm.set(due());
      };
      // Timers run first after we have been busy or stopped: what shows that the limit is not reached (output in the pipe,
      // a link that is back) has arrived by then, but is handled later in the same turn of the event loop.
      const alarm: LongTimer = new LongTimer(age, () =>
        whenReached(() =>
          setImmediate(() => {
            if (!this.#isOver) whenReached(() => onReached(kind));
          }),
        ),
      );
      alarm.set(limitMs);
      return alarm;
    };
    this.#alarms = [
      recurring(limits.timeoutMs, 'timeout', () => 0),
      recurring(limits.idleTimeoutMs, 'idle_timeout', () => (isHeldUp() ? null : this.#silentSince)),
      recurring(limits.maxOfflineMs, 'offline_limit', offlineSince),
    ];
  }

  /** The command has printed something, or could not print until now. */
  countSilenceFromNow(): void {
    this.#silentSince = this.#age();
  }

  /** The command is over. */
  clear(): void {
    this.#isOver = true;
    for (const alarm of this.#alarms) alarm.clear();
  }
}
