/** Waiting for a condition, by polling. */
import { WAIT_LIMIT_MS } from '#testing/patience';

const SHORTEST_PAUSE_MS = 10;
/** The interval grows with the wait: polling takes CPU time that the condition may need. */
const PAUSE_SHARE = 1 / 8;
const LONGEST_PAUSE_MS = 250;

// Taken before any test replaces them by fakes: a test that controls the clock still waits in real time.
const realSetTimeout = setTimeout;
const clock = performance;

/**
 * Calls `probe` until it returns something other than null, undefined or false.
 *
 * @param what the condition, for the message on timeout
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
