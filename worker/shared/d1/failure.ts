/**
 * What went wrong with D1, told from the message: its errors have no class of their own, and a class would not survive
 * the call from one object to another.
 */

/** All errors of D1 begin with it, once `boundD1` has passed them on. */
const PREFIX = 'D1_ERROR';

/**
 * - `rejected`: D1 works, and refused what it was to store
 * - `full`: D1 works, and has no room for more
 * - `schema`: a table or column is missing
 * - `unavailable`: D1 could not be reached, did not answer in time, or is overloaded
 */
export type D1Failure = 'rejected' | 'full' | 'schema' | 'unavailable';

/** Null if the error isn't one of D1. */
export function d1Failure(error: unknown): D1Failure | null {
  const message = messageOf(error);
  if (!message.startsWith(PREFIX)) return null;
  if (/SQLITE_(CONSTRAINT|TOOBIG)/.test(message)) return 'rejected';
  if (/SQLITE_FULL|maximum DB size/i.test(message)) return 'full';
  if (/no such (table|column)|table \S+ has no column/.test(message)) return 'schema';
  return 'unavailable';
}

/** An error of a D1 call, recognisable as such. A fetch that is rejected, for one, lacks the prefix. */
export function asD1Error(error: unknown): Error {
  if (error instanceof Error && error.message.startsWith(PREFIX)) return error;
  return new Error(`${PREFIX}: ${messageOf(error)}`, { cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
