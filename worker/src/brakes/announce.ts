import { log } from '../../shared/log.ts';
import { fleetObject } from '../../shared/rpc/fleet-object.ts';
import { isMissingMethod } from '../../shared/rpc/missing-method.ts';
import type { AppContext } from '../http/context.ts';

/** Has open dashboards read the brakes again. They do so now and then anyway, so a failure delays it. */
export function announceBrakes(c: AppContext): void {
  const told = fleetObject(c.env)
    .brakesChanged()
    .catch((error: unknown) => {
      if (!isMissingMethod(error)) log.error('brakes_not_announced', error);
    });
  c.executionCtx.waitUntil(told);
}
