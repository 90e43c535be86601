/** What was waited for did not come in time. It may still happen. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

/**
 * What a promise brings, or a failure once the time is up: a call across the network may never return.
 *
 * @param what names it in the failure
 * @throws TimedOut
 */
export async function within<Value>(limitMs: number, what: string, promise: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`${what} did not answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
