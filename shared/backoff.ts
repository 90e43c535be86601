/**
 * How long to wait before the next attempt: exponential backoff with full jitter. After a deploy all links break in the
 * same moment, and must not all come back in the same moment too.
 *
 * @param failures how many attempts have failed in a row
 * @param baseMs the longest pause for `failures` 0; it doubles with each failure, up to `capMs`
 * @param random a number from [0, 1)
 * @returns milliseconds
 */
export function backoffMs(failures: number, baseMs: number, capMs: number, random = Math.random()): number {
  return random * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
}
