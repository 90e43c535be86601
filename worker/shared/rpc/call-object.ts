/** Calling a Durable Object. */

/**
 * Calls an object, and once more if it was evicted during the call: only for methods that may be repeated.
 *
 * @param getObject gets its stub: one is broken after an error, so the second call needs a new one
 */
export async function callObject<Class extends Rpc.DurableObjectBranded, Result>(
  getObject: () => DurableObjectStub<Class>,
  call: (object: DurableObjectStub<Class>) => Promise<Result>,
): Promise<Result> {
  try {
    return await call(getObject());
  } catch (error) {
    if (!isWorthRepeating(error)) throw error;
    return call(getObject());
  }
}

/** Another call would make an overloaded object worse. */
function isWorthRepeating(error: unknown): boolean {
  const { retryable, overloaded } = error as { retryable?: boolean; overloaded?: boolean };
  return retryable === true && overloaded !== true;
}
