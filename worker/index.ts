/** The Worker's entry: requests to the API, the Cron Trigger to the sweep, and the objects it is deployed with. */
import { withBoundD1 } from './shared/d1/bound-d1.ts';
import type { Env } from './shared/env.ts';
import { app } from './src/http/app.ts';
import { sweep } from './src/sweep.ts';

export { AlertsObject } from './durable/alerts/alerts-object.ts';
export { D1GatewayObject } from './durable/d1-gateway/d1-gateway-object.ts';
export { FleetObject } from './durable/fleet/fleet-object.ts';
export { JobObject } from './durable/job/job-object.ts';

export default {
  fetch: (request, env, context) => app.fetch(request, withBoundD1(env), context),
  scheduled: (_event, env) => sweep(withBoundD1(env)),
} satisfies ExportedHandler<Env>;
