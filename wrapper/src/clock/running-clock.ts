/**
 * A clock for how long others are waited for. Time in which this process works, or waits for its turn on a machine that is
 * busy, counts for nothing: in that time nobody has kept us waiting, and what we wait for may be there already. What is
 * left counts for less on such a machine, where much of what others do for us (a proxy, a resolver, the kernel) is as slow.
 */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';

/** How often a turn is asked for. */
export const TURN_MS = 50;
/** What a turn that comes late counts for: where we were stopped, or the system does not tell why it was late. */
const LATE_TURN_MS = 2 * TURN_MS;
/** What a millisecond counts for at the least. */
const LEAST_WEIGHT = 1 / 4;

/** What this process has had of the processor, and how long it had to wait for that. */
export interface Busy {
  readonly ranMs: number;
  readonly delayedMs: number;
}

export class RunningClock {
  /** Called at each turn. */
  onTurn: () => void = () => {};
  readonly #now: () => number;
  readonly #busy: () => Busy;
  readonly #timer: NodeJS.Timeout;
  #countedMs = 0;
  #turnedAt: number;
  #busyAt: Busy;

  /**
   * Goes from 0 on, until it is stopped.
   */
  constructor(now = () => performance.now(), busy = ownBusy) {
    this.#now = now;
    this.#busy = busy;
    this.#turnedAt = now();
    this.#busyAt = busy();
    this.#timer = setInterval(() => {
      this.#count();
      this.onTurn();
    }, TURN_MS);
  }

  /** In ms, as of the last turn. */
  now(): number {
    return this.#countedMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #count(): void {
    const [now, busy] = [this.#now(), this.#busy()];
    const waitedMs = now - this.#turnedAt - (sumOf(busy) - sumOf(this.#busyAt));
    const weight = sumOf(busy) === 0 ? 1 : Math.max(LEAST_WEIGHT, busy.ranMs / sumOf(busy));
    this.#countedMs += Math.max(0, Math.min(LATE_TURN_MS, waitedMs)) * weight;
    this.#turnedAt = now;
    this.#busyAt = busy;
  }
}

function sumOf({ ranMs, delayedMs }: Busy): number {
  return ranMs + delayedMs;
}

/** For how long our main thread has worked, or waited for its turn. */
export function ownBusyMs(): number {
  return sumOf(ownBusy());
}

/** Of our main thread. */
function ownBusy(): Busy {
  try {
    // Nanoseconds on a processor, and those waiting for one.
    const [ranNs = '', delayedNs = ''] = fs.readFileSync('/proc/self/schedstat', 'latin1').split(' ');
    const busy = { ranMs: Number(ranNs) / 1e6, delayedMs: Number(delayedNs) / 1e6 };
    if (sumOf(busy) > 0) return busy;
  } catch {
    // Not on Linux, or hidden, or too many open files.
  }
  const { user, system } = process.cpuUsage();
  return { ranMs: (user + system) / 1_000, delayedMs: 0 };
}

/** What `promise` resolves with, or `otherwise` when that takes longer than `ms` of waiting. Rejects as it does. */
export async function withinRunning<Value>(promise: Promise<Value>, ms: number, otherwise: Value): Promise<Value> {
  const clock = new RunningClock();
  const late = new Promise<Value>((resolve) => {
    clock.onTurn = () => {
      if (clock.now() >= ms) resolve(otherwise);
    };
  });
  return Promise.race([promise, late]).finally(() => clock.stop());
}
