/** How long this machine has taken to carry out each kill, since it was received. */
import type { KillTiming } from '#protocol/wrapper-link';

/** A control plane gone mad must not fill the memory. */
const MAX_REMEMBERED = 200;

interface Moments {
  readonly receivedAt: number;
  firstSignalAt: number | null;
  lastProcessGoneAt: number | null;
}

/** All moments are on one clock that never goes back, such as `performance.now()`. */
export class KillTimings {
  readonly #kills = new Map<string, Moments>();

  received(kill: string, receivedAt: number): void {
    this.#kills.set(kill, { receivedAt, firstSignalAt: null, lastProcessGoneAt: null });
    const [oldest] = this.#kills.keys();
    if (this.#kills.size > MAX_REMEMBERED && oldest !== undefined) this.#kills.delete(oldest);
  }

  /** A signal was sent: the first since the kills that have none yet were received. */
  signalled(at: number): void {
    for (const kill of this.#kills.values()) kill.firstSignalAt ??= at;
  }

  /** Nothing is left of the run. */
  gone(at: number): void {
    for (const kill of this.#kills.values()) kill.lastProcessGoneAt ??= at;
  }

  /** Null for a kill that this process has not received: the moments of another process's clock mean nothing here. */
  of(kill: string, now: number): KillTiming | null {
    const moments = this.#kills.get(kill);
    if (moments === undefined) return null;
    const since = (at: number | null) => (at === null ? null : inMs(at - moments.receivedAt));
    return {
      first_signal_ms: since(moments.firstSignalAt),
      last_process_gone_ms: since(moments.lastProcessGoneAt),
      sent_ms: inMs(now - moments.receivedAt),
    };
  }
}

/** Rounded to hundredths: the rest is noise. */
function inMs(ms: number): number {
  return Math.max(0, Math.round(ms * 100) / 100);
}
