/** Pauses between attempts, with full jitter: after a deploy all pages come back, and not all at once. */
import { RECONNECT_CAP_MS } from '#protocol/limits';

const BASE_MS = 500;

/** @param attempt how many attempts have failed in a row, from 1 */
export function pauseBefore(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(RECONNECT_CAP_MS, BASE_MS * 2 ** Math.min(attempt, 20));
  return Math.floor(random() * ceiling);
}
