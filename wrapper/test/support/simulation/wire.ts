/** A simulated WebSocket: two directions, each in order, until it is cut. */
import type { Random } from '#testing/random';
import type { VirtualTime } from './virtual-time.ts';

export type Frame = string | Uint8Array;

export interface End {
  received(frame: Frame): void;
  /** The connection is known to be over. Called at most once; never for a half-open connection. */
  closed(): void;
}

export interface WireOptions {
  readonly latencyMs: number;
  /** How many of a hundred frames are lost, and how many come twice, the second time late. TCP does neither; a bug may. */
  readonly manglePercent: number;
}

export type Side = 'wrapper' | 'object';

export class Wire {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #options: WireOptions;
  readonly #ends: Partial<Record<Side, End>> = {};
  readonly #lastArrival: Record<Side, number> = { wrapper: 0, object: 0 };
  /** Cancels what is under way, in order, by whom it is for. */
  readonly #underWay: Record<Side, (() => void)[]> = { wrapper: [], object: [] };
  #cut = false;

  constructor(time: VirtualTime, random: Random, options: WireOptions) {
    this.#time = time;
    this.#random = random;
    this.#options = options;
  }

  attach(side: Side, end: End): void {
    this.#ends[side] = end;
  }

  send(to: Side, frame: Frame): void {
    if (this.#cut || this.#isMangled()) return;
    const arrival = Math.max(this.#lastArrival[to], this.#time.now + this.#latency());
    this.#lastArrival[to] = arrival;
    this.#deliver(to, frame, arrival - this.#time.now);
    if (this.#isMangled()) this.#deliver(to, frame, arrival - this.#time.now + this.#latency() * 3);
  }

  /**
   * Cuts it: of what is under way in each direction a part still arrives, however late, and nothing after that.
   *
   * @param noticed which ends notice it
   */
  cut(noticed: readonly Side[]): void {
    if (this.#cut) return;
    this.#cut = true;
    for (const side of ['wrapper', 'object'] as const) {
      const lost = this.#underWay[side].splice(this.#random.below(this.#underWay[side].length + 1));
      for (const cancel of lost) cancel();
      if (noticed.includes(side)) this.#time.after(this.#latency() * 3, () => this.#ends[side]?.closed());
    }
  }

  #deliver(to: Side, frame: Frame, afterMs: number): void {
    const cancel = this.#time.after(afterMs, () => {
      this.#underWay[to] = this.#underWay[to].filter((each) => each !== cancel);
      this.#ends[to]?.received(frame);
    });
    this.#underWay[to].push(cancel);
  }

  #latency(): number {
    return this.#random.below(this.#options.latencyMs + 1);
  }

  #isMangled(): boolean {
    return this.#random.percent(this.#options.manglePercent);
  }
}
