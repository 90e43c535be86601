/** Waiting for something to become true, by looking at it. */
import { WAIT_LIMIT_MS } from '#testing/patience';

const POLL_MS = 10;
/** A probe that is expensive (to look through /proc takes 15 ms of a processor) is made less often: a tenth of the time. */
const PAUSE_PER_PROBE = 9;
const MAX_POLL_MS = 250;

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
    const askedAt = clock.now();
    const found = await probe();
    if (found !== null && found !== undefined && found !== false) return found;
    const now = clock.now();
    if (now - since > WAIT_LIMIT_MS) {
      throw new Error(`timed out after ${WAIT_LIMIT_MS / 1_000} s waiting for ${what}`);
    }
    const pauseMs = Math.min(Math.max(POLL_MS, PAUSE_PER_PROBE * (now - askedAt)), MAX_POLL_MS);
    await new Promise<void>((resolve) => realSetTimeout(resolve, pauseMs));
  }
}
