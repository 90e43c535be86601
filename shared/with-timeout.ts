/** What was waited for did not come in time. It may still happen. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * What a promise resolves with, unless that takes longer than `timeoutMs`. Rejects as the promise does.
 *
 * @param onTimeout what comes instead: a fallback, or a TimeoutError that names `what` did not answer
 */
export async function withTimeout<Value, Fallback = never>(
  promise: Promise<Value>,
  timeoutMs: number,
  onTimeout: { readonly what: string } | { readonly fallback: Fallback },
): Promise<Value | Fallback> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<Fallback>((resolve, reject) => {
    timer = setTimeout(() => {
      if ('fallback' in onTimeout) resolve(onTimeout.fallback);
      else reject(new TimeoutError(`${onTimeout.what} did not answer within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
