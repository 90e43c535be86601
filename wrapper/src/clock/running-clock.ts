/**
 * A clock for waits. Time in which this process works, or waits to be scheduled on a busy machine, does not count: what we
 * wait for may be there already. The rest counts for less on such a machine, where what others do for us (a proxy, a
 * resolver, the kernel) is as slow.
 */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';

/** How often a turn of the event loop is requested. */
export const TURN_MS = 50;
/** What a late turn counts for: when we were stopped, or the system does not tell why it was late. */
const LATE_TURN_MS = 2 * TURN_MS;
/** The least that a millisecond counts for. */
const LEAST_WEIGHT = 1 / 4;

/** How long this process has run, and how long it had to wait to be scheduled. */
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
   * Starts at 0, and runs until it is stopped.
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

/** For how long our main thread has run, or waited to be scheduled. */
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

/** What `promise` resolves with, or `otherwise` when that takes longer than `ms` on this clock. Rejects as it does. */
export async function withinRunning<Value>(promise: Promise<Value>, ms: number, otherwise: Value): Promise<Value> {
  const clock = new RunningClock();
  const late = new Promise<Value>((resolve) => {
    clock.onTurn = () => {
      if (clock.now() >= ms) resolve(otherwise);
    };
  });
  return Promise.race([promise, late]).finally(() => clock.stop());
}
