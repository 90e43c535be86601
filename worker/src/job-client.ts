/** Calling a job's object. */

import type { JobObject } from '../durable/job-object.ts';
import type { Env } from '../env.ts';

/**
 * Calls a job's object, and once more when it went away under the call: its methods may all be repeated.
 *
 * A stub is broken after an error, so the second call takes a new one.
 */
export async function callJob<Result>(
  env: Env,
  job: string,
  call: (object: DurableObjectStub<JobObject>) => Promise<Result>,
): Promise<Result> {
  try {
    return await call(env.JOBS.getByName(job));
  } catch (error) {
    if (!isWorthRepeating(error)) throw error;
    return call(env.JOBS.getByName(job));
  }
}

/** An overloaded object is only made worse by another call. */
function isWorthRepeating(error: unknown): boolean {
  const { retryable, overloaded } = error as { retryable?: boolean; overloaded?: boolean };
  return retryable === true && overloaded !== true;
}
