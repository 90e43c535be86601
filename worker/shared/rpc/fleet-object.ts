/** What the fleet's Durable Object can be called for. */
import type { Env } from '../env.ts';
import type { PublishedChanges } from '../job-changes.ts';
import { nearD1 } from './near-d1.ts';
import { objectByName } from './objects.ts';

export interface FleetObjectRpc extends Rpc.DurableObjectBranded {
  /** Takes the upgrade of a viewer that the Worker has authorised to see the jobs in `?jobs=`; `?only=brakes`: none. */
  fetch(request: Request): Response | Promise<Response>;

  /** Sends committed changes to the viewers that may see them. @returns whether any viewer of them is connected */
  publish(news: PublishedChanges): boolean;

  /** Has the viewers fetch everything again: changes were committed that could not be published. */
  resync(): void;

  /** Tells the viewers that brakes were set or ended. */
  brakesChanged(): void;

  /** Tells the viewers that nothing is left of a job, in D1 either. */
  publishJobRemoved(job: string): void;

  /** Closes the sockets that were opened with a part of the token that has ended. */
  checkCredentials(token: string): Promise<void>;
}

/** The one fleet object. */
export function fleetObject(env: Env): DurableObjectStub<FleetObjectRpc> {
  return objectByName(env, env.FLEET, 'fleet', nearD1(env));
}
