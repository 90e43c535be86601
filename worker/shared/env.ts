import type { AlertsObjectRpc } from './rpc/alerts-object.ts';
import type { D1GatewayRpc } from './rpc/d1-gateway.ts';
import type { FleetObjectRpc } from './rpc/fleet-object.ts';
import type { JobObjectRpc } from './rpc/job-object.ts';
import type { SettingVars } from './settings.ts';

/** What wrangler.toml binds. */
export interface Env extends SettingVars {
  /** The dashboard's files. */
  readonly ASSETS: Fetcher;
  readonly DB: D1Database;
  readonly JOBS: DurableObjectNamespace<JobObjectRpc>;
  readonly FLEET: DurableObjectNamespace<FleetObjectRpc>;
  readonly ALERTS: DurableObjectNamespace<AlertsObjectRpc>;
  readonly D1_GATEWAY: DurableObjectNamespace<D1GatewayRpc>;
  readonly LEASH_ADMIN_TOKEN: string;
  readonly FAILED_SIGN_INS: RateLimit;
  readonly KILLS: RateLimit;
  /** Where output of ended runs moves; none: it stays in the objects. */
  readonly OUTPUT_BUCKET?: R2Bucket;
  /** By which alerts are mailed; none: they can't be. */
  readonly EMAIL?: SendEmail;
  /** Where the runtime is on a machine of one's own: it connects to public addresses only. Cloudflare needs none. */
  readonly PUBLIC_NETWORK?: Fetcher;
}
