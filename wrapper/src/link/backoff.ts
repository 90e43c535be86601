/** How long to wait before dialling again. */

const FIRST_PAUSE_MS = 250;

/** After a loss the pauses begin as if so many attempts had failed: a second, in which thousands can come back. */
const LOSS_COUNTS_AS = 2;

/**
 * Exponential, with full jitter: after a deploy every wrapper is cut off at the same moment, and they must not all come
 * back at the same moment too.
 *
 * @param attempt how many attempts have failed since the last success; 0 for the first pause
 * @param wasConnected whether this is the pause after a connection that worked
 * @param capMs the longest pause
 * @param random a number from [0, 1)
 * @returns milliseconds
 */
export function pauseBeforeDialling(attempt: number, wasConnected: boolean, capMs: number, random: number): number {
  const failures = wasConnected ? Math.max(attempt, LOSS_COUNTS_AS) : attempt;
  return random * Math.min(capMs, FIRST_PAUSE_MS * 2 ** Math.min(failures, 30));
}
