/** Calling a job's object. */

import type { JobObject } from '../durable/job/job-object.ts';
import { callObject } from './call-object.ts';
import type { Env } from './env.ts';

/** Calls a job's object, and once more when it went away under the call: its methods may all be repeated. */
export function callJob<Result>(
  env: Env,
  job: string,
  call: (object: DurableObjectStub<JobObject>) => Promise<Result>,
): Promise<Result> {
  return callObject(env.JOBS, job, call);
}
