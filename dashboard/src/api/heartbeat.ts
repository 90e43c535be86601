/**
 * Detects a connection that has died silently.
 *
 * A tab in the background gets its timers late, and a laptop that wakes has skipped hours: in that time no reply could
 * arrive, so it doesn't count as silence. But the old connection has rarely survived it, and the reader is waiting: the
 * next heartbeat has to be answered before the one after it.
 */
export const HEARTBEAT_MS = 5_000;
export const SILENCE_MS = 15_000;

export class Heartbeat {
  #lastBeat: number;
  #heardAt: number;

  constructor(now: number) {
    this.#lastBeat = now;
    this.#heardAt = now;
  }

  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Call every BEAT_MS: says whether to send a heartbeat or to give the link up. */
  beat(now: number): 'send' | 'dead' {
    const late = now - this.#lastBeat > 2 * HEARTBEAT_MS;
    this.#lastBeat = now;
    if (late) this.#heardAt = Math.max(this.#heardAt, now + HEARTBEAT_MS - SILENCE_MS);
    return now - this.#heardAt >= SILENCE_MS ? 'dead' : 'send';
  }
}
