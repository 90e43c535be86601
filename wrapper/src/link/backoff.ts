/** How long to wait before dialling again. */

const FIRST_PAUSE_MS = 250;

/**
 * Exponential, with full jitter: after a deploy every wrapper is cut off at the same moment, and they must not all come
 * back at the same moment too.
 *
 * @param attempt how many attempts have failed since the last success; 0 for the first pause
 * @param capMs the longest pause
 * @param random a number from [0, 1)
 * @returns milliseconds
 */
export function pauseBeforeDialling(attempt: number, capMs: number, random: number): number {
  return random * Math.min(capMs, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 30));
}
