/** Offering kills to the job's object, which may take them without D1. */
import { withTimeout } from '#shared/with-timeout';
import type { NewKills } from '../../shared/d1/new-kills.ts';
import { log } from '../../shared/log.ts';
import { callJob, type OfferResult } from '../../shared/rpc/job-object.ts';
import { callerOf, type KillCall } from './kill-call.ts';

export type Offered = OfferResult | { readonly kind: 'failed' };

/** Never rejects. @param limitMs how long the object may take; null: as long as it does */
export async function offer(
  call: KillCall,
  job: string,
  kills: NewKills,
  limitMs: number | null = null,
): Promise<Offered> {
  try {
    const result: Promise<OfferResult> = callJob(
      call.env,
      job,
      async (object) => await object.offerKills({ ...kills, caller: callerOf(call) }),
    );
    return await (limitMs === null ? result : withTimeout(result, limitMs, { what: `the object of ${job}` }));
  } catch (error) {
    log.error('kill_not_offered', error, { request: call.requestId, job });
    return { kind: 'failed' };
  }
}
