/**
 * Whether a call failed because the object runs older code than its caller, which lacks the method. That is so for some
 * minutes after a deploy that adds the method. Told from the message, because the error has no class of its own.
 */
export function isMissingMethod(error: unknown): boolean {
  return error instanceof TypeError && error.message.startsWith('The RPC receiver does not implement the method');
}
