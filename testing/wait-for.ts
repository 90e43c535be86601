/** Waiting for something to become true, by looking at it. */
import { WAIT_LIMIT_MS } from '#testing/patience';

const SHORTEST_PAUSE_MS = 10;
/** Who has waited for long can wait a little longer: to look costs time, too, that what is waited for may need. */
const PAUSE_SHARE = 1 / 8;
const LONGEST_PAUSE_MS = 250;

// Taken before any test replaces them by fake ones: a test that controls the clock waits in real time all the same.
const realSetTimeout = setTimeout;
const clock = performance;

/**
 * Calls `probe` until it returns something other than null, undefined or false.
 *
 * @param what what is waited for, for the message when it never comes
 * @returns what the probe returned
 */
export async function waitFor<Found>(
  what: string,
  probe: () => Found | null | undefined | false | Promise<Found | null | undefined | false>,
): Promise<Found> {
  const since = clock.now();
  for (;;) {
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    const waitedMs = clock.now() - since;
    if (waitedMs > WAIT_LIMIT_MS) {
      throw new Error(`timed out after ${WAIT_LIMIT_MS / 1_000} s waiting for ${what}`);
    }
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, waitedMs * PAUSE_SHARE));
    await new Promise<void>((resolve) => realSetTimeout(resolve, pauseMs));
  }
}
