import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { fleetObject } from '../../shared/rpc/fleet-object.ts';
import { isMissingMethod } from '../../shared/rpc/missing-method.ts';

/** Has open dashboards read the brakes again. They do so now and then anyway, so a failure only delays it. Never throws. */
export async function announceBrakes(env: Env): Promise<void> {
  try {
    await fleetObject(env).brakesChanged();
  } catch (error) {
    if (!isMissingMethod(error)) log.error('brakes_not_announced', error);
  }
}
