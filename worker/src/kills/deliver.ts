/** Delivering stored kills to the jobs' objects. What fails here is in the queue: the drain or the sweep delivers it. */
import type { Kill } from '#protocol/api';
import { mapConcurrent } from '#shared/map-concurrent';
import type { IdempotencyKey } from '../../shared/d1/idempotency.ts';
import { log } from '../../shared/log.ts';
import { type ConfirmedCaller, callJob } from '../../shared/rpc/job-object.ts';
import type { KillCall } from './kill-call.ts';

/** An object call is a subrequest, it may be repeated once, and one invocation has a thousand. */
const MAX_JOBS = 400;
const CALLS_AT_ONCE = 50;

/** What the object is told with kills from the queue. */
interface Origin {
  /** The caller, if D1 has just confirmed it. */
  readonly by?: ConfirmedCaller | null;
  /** Of the call that made them. */
  readonly key?: IdempotencyKey | null;
}

/** Delivers kills of one job by one call. @returns their current state, in the same order */
export async function deliver(
  { env, requestId }: Pick<KillCall, 'env' | 'requestId'>,
  job: string,
  kills: readonly Kill[],
  { by = null, key = null }: Origin = {},
): Promise<readonly Kill[]> {
  const queued = kills.map((kill) => ({ ...kill, key }));
  try {
    return await callJob(env, job, (object) => object.acceptKills(queued, by));
  } catch (error) {
    log.error('kill_not_pushed', error, { request: requestId, job, kill: kills.map(({ id }) => id).join(',') });
    return kills;
  }
}

/** Delivers kills of many jobs, to as many jobs as one call may. @returns their current state, in the same order */
export async function deliverAll(
  kills: readonly Kill[],
  deliverToJob: (job: string, kills: readonly Kill[]) => Promise<readonly Kill[]>,
): Promise<Kill[]> {
  const byJob = new Map<string, Kill[]>();
  for (const kill of kills) byJob.set(kill.job, [...(byJob.get(kill.job) ?? []), kill]);
  const jobs = [...byJob].slice(0, MAX_JOBS);
  const delivered = await mapConcurrent(jobs, CALLS_AT_ONCE, ([job, ofJob]) => deliverToJob(job, ofJob));
  const latest = new Map(delivered.flat().map((kill) => [kill.id, kill]));
  return kills.map((kill) => latest.get(kill.id) ?? kill);
}
