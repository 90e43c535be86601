/** Waiting for something to become true, by looking at it. */
import { WAIT_LIMIT_MS } from '#testing/patience';

const POLL_MS = 10;

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
    if (clock.now() - since > WAIT_LIMIT_MS) {
      throw new Error(`timed out after ${WAIT_LIMIT_MS / 1_000} s waiting for ${what}`);
    }
    await new Promise<void>((resolve) => realSetTimeout(resolve, POLL_MS));
  }
}
