import type { D1GatewayObject } from '../durable/d1-gateway/d1-gateway-object.ts';
import type { FleetObject } from '../durable/fleet/fleet-object.ts';
import type { JobObject } from '../durable/job/job-object.ts';
import type { SettingVars } from './settings.ts';

/** What wrangler.toml binds. */
export interface Env extends SettingVars {
  /** The page's files. */
  readonly ASSETS: Fetcher;
  readonly DB: D1Database;
  readonly JOBS: DurableObjectNamespace<JobObject>;
  readonly FLEET: DurableObjectNamespace<FleetObject>;
  readonly D1_GATEWAY: DurableObjectNamespace<D1GatewayObject>;
  readonly LEASH_ADMIN_TOKEN: string;
  readonly FAILED_SIGN_INS: RateLimit;
  readonly KILLS: RateLimit;
}
