/** Which brakes match a run whose wrapper connects. */
import type { StandingOrder } from '#protocol/brakes';
import { withTimeout } from '#shared/with-timeout';
import { type BrakeRecord, standingOrders } from '../../shared/d1/brakes.ts';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { signInByHash } from '../../shared/rpc/d1-gateway.ts';

/** The deployment's own secret is in no table, so a wrapper with it connects while D1 is away: it waits no longer. */
const READ_LIMIT_MS = 2_000;

/** @param read the brakes, if they were read when the caller signed in */
export async function ordersFor(
  env: Env,
  read: readonly BrakeRecord[] | undefined,
  run: { readonly job: string; readonly machine: string },
): Promise<StandingOrder[]> {
  return standingOrders(read ?? (await readActive(env)), run);
}

/** None while D1 can't be asked: the sweep enforces them afterwards. */
async function readActive(env: Env): Promise<readonly BrakeRecord[]> {
  try {
    const read = signInByHash(env, null);
    return (await withTimeout(read, READ_LIMIT_MS, { what: 'the D1 gateway for brakes' })).brakes;
  } catch (error) {
    log.error('brakes_not_read', error);
    return [];
  }
}
