/**
 * Bounds how many wrappers connect at the same time.
 *
 * When cron fires everywhere, or a deploy closes every link, thousands of wrappers ask at once. As a queue of handshakes
 * they would time out, and everything else, kills first of all, would wait behind them. So only some are let in at a
 * time; the others are told at once when to ask again, each at another time, at the rate at which handshakes succeed.
 *
 * The bound is one isolate's. Isolates share no memory, and where there are many of them there is that much more room.
 */

/** Handshakes in progress: of new runs, of runs that were connected before, and of those that have waited for long. */
const MAX_NEW = 24;
const MAX_RETURNING = 2 * MAX_NEW;
const MAX_OVERDUE = 2 * MAX_RETURNING;

/** A handshake counts for at most this long: of a caller that hangs up, the end may never be seen. */
const HANDSHAKE_MS = 10_000;

const MIN_PAUSE_MS = 100;

/** The rate is measured over this many handshakes, */
const MEASURED = 50;
/** and is known after this many. */
const MEASURED_AT_LEAST = 10;
const MIN_INTERVAL_MS = 0.5;
const MAX_INTERVAL_MS = 50;
/** What a handshake takes, until that is known. */
const FIRST_INTERVAL_MS = 5;
/** Wrappers come somewhat faster than the measured rate, or it could only fall: asking again is cheap. */
const HASTE = 0.75;
/** A crowd is over when nobody had to wait for this long. */
const CROWD_ENDS_MS = 3_000;

/** A place among the handshakes in progress, or how long to wait before asking again. */
export type Admitted =
  | { readonly kind: 'admitted'; leave(hasSucceeded: boolean): void }
  | { readonly kind: 'busy'; readonly pauseMs: number };

export interface Applicant {
  /** For how long the run has been disconnected; null: it was never connected. */
  readonly disconnectedMs: number | null;
  /** The longest pause between two attempts, RECONNECT_CAP_MS: at most half of what declares a disconnected run lost. */
  readonly reconnectCapMs: number;
}

export class Admission {
  /** When each handshake in progress began, the oldest first. */
  readonly #inProgress = new Map<object, number>();
  /** When the last handshakes of this crowd succeeded. */
  #succeededAt: number[] = [];
  #crowdBeganAt = 0;
  #lastRefusedAt = 0;
  /** The last time that a wrapper was told to ask again at. */
  #lastSlotAt = 0;

  ask(applicant: Applicant, now: number): Admitted {
    this.#dropOutdated(now);
    const { limit, maxPauseMs } = termsFor(applicant);
    if (this.#inProgress.size >= limit) return { kind: 'busy', pauseMs: this.#nextPause(now, maxPauseMs) };
    const place = {};
    this.#inProgress.set(place, now);
    return { kind: 'admitted', leave: (hasSucceeded) => this.#leave(place, hasSucceeded) };
  }

  #leave(place: object, hasSucceeded: boolean): void {
    this.#inProgress.delete(place);
    if (hasSucceeded) this.#succeededAt = [...this.#succeededAt.slice(1 - MEASURED), Date.now()];
  }

  #dropOutdated(now: number): void {
    for (const [place, beganAt] of this.#inProgress) {
      if (beganAt > now - HANDSHAKE_MS) return;
      this.#inProgress.delete(place);
    }
  }

  /** Each gets a time of its own, after those who asked before. */
  #nextPause(now: number, maxPauseMs: number): number {
    if (now - this.#lastRefusedAt > CROWD_ENDS_MS) {
      this.#crowdBeganAt = now;
      this.#succeededAt = [];
    }
    this.#lastRefusedAt = now;
    this.#lastSlotAt = Math.max(this.#lastSlotAt, now + MIN_PAUSE_MS) + this.#intervalMs(now) * HASTE;
    const pauseMs = this.#lastSlotAt - now;
    // Too many for the longest pause: these ask once more, at any time of its second half.
    return Math.round(pauseMs <= maxPauseMs ? pauseMs : maxPauseMs * (0.5 + Math.random() / 2));
  }

  /** How long one handshake after another takes in this crowd. */
  #intervalMs(now: number): number {
    const count = this.#succeededAt.length;
    if (count < MEASURED_AT_LEAST) return FIRST_INTERVAL_MS;
    const since = count < MEASURED ? this.#crowdBeganAt : (this.#succeededAt[0] ?? now);
    return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, (now - since) / count));
  }
}

/** The longer a run has been disconnected, the sooner it gets in: a queue must not make it lost. */
function termsFor({ disconnectedMs, reconnectCapMs }: Applicant): { limit: number; maxPauseMs: number } {
  if (disconnectedMs === null) return { limit: MAX_NEW, maxPauseMs: reconnectCapMs };
  if (disconnectedMs < reconnectCapMs) return { limit: MAX_RETURNING, maxPauseMs: reconnectCapMs / 2 };
  return { limit: MAX_OVERDUE, maxPauseMs: reconnectCapMs / 4 };
}
