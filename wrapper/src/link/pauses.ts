/** How long a wrapper waits before it connects again. */
import { RECONNECT_CAP_MS } from '#protocol/limits';
import { backoffMs } from '#shared/backoff';

const FIRST_PAUSE_MS = 250;
/** After a loss the pauses begin as after this many failures: with a second, in which thousands can come back. */
const LOSS_COUNTS_AS = 2;
/** A busy control plane gives each wrapper a time of its own; this is added at random, for those that were given the same. */
const BUSY_JITTER = 0.1;
const MIN_BUSY_PAUSE_MS = 100;

/** @param failures attempts that failed in a row */
export function pauseAfterFailureMs(failures: number, capMs: number): number {
  return backoffMs(failures, FIRST_PAUSE_MS, capMs);
}

/** After the loss of a connection on which the run was accepted. */
export function pauseAfterLossMs(failures: number, capMs: number): number {
  return pauseAfterFailureMs(Math.max(failures, LOSS_COUNTS_AS), capMs);
}

/** @param askedMs what a busy control plane asked for */
export function pauseWhileBusyMs(askedMs: number): number {
  return Math.min(Math.max(askedMs, MIN_BUSY_PAUSE_MS), RECONNECT_CAP_MS) * (1 + BUSY_JITTER * Math.random());
}
