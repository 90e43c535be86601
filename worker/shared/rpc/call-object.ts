/** Calling a Durable Object. */

/**
 * Calls an object by name, and once more if it was evicted during the call: only for methods that may be repeated.
 *
 * A stub is broken after an error, so the second call needs a new one.
 */
export async function callObject<Class extends Rpc.DurableObjectBranded, Result>(
  namespace: DurableObjectNamespace<Class>,
  name: string,
  call: (object: DurableObjectStub<Class>) => Promise<Result>,
  options: DurableObjectNamespaceGetDurableObjectOptions = {},
): Promise<Result> {
  try {
    return await call(namespace.getByName(name, options));
  } catch (error) {
    if (!isWorthRepeating(error)) throw error;
    return call(namespace.getByName(name, options));
  }
}

/** Another call would make an overloaded object worse. */
function isWorthRepeating(error: unknown): boolean {
  const { retryable, overloaded } = error as { retryable?: boolean; overloaded?: boolean };
  return retryable === true && overloaded !== true;
}
