/**
 * Notices a link that has died without a word.
 *
 * A page in the background gets its timers late, and a laptop that wakes finds hours gone by: time in which nobody could
 * have answered is not silence. But what was open then has as a rule not survived it, and somebody is looking: the next
 * beat has to be answered before the one after it.
 */
export const BEAT_MS = 5_000;
export const SILENCE_MS = 15_000;

export class Heart {
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
    const late = now - this.#lastBeat > 2 * BEAT_MS;
    this.#lastBeat = now;
    if (late) this.#heardAt = Math.max(this.#heardAt, now + BEAT_MS - SILENCE_MS);
    return now - this.#heardAt >= SILENCE_MS ? 'dead' : 'send';
  }
}
