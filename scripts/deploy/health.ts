/** Whether a control plane that was just deployed works. */
import { setTimeout } from 'node:timers/promises';
import * as v from 'valibot';
import { Problem } from '#protocol/problem';
import { reasonOf } from './cloudflare-api.ts';

/**
 * - `unreached`: a new address takes a while until it is known everywhere
 * - `unhealthy`: it responds, and says what is wrong
 */
export type Health =
  | { readonly kind: 'healthy' | 'unasked' }
  | { readonly kind: 'unreached' | 'unhealthy'; readonly detail: string };

/** A new subdomain of workers.dev needs about a minute. */
const LIMIT_MS = 90_000;
const PAUSE_MS = 2_000;
const CALL_LIMIT_MS = 10_000;

export async function waitUntilHealthy(
  address: string,
  { limitMs = LIMIT_MS, pauseMs = PAUSE_MS } = {},
): Promise<Health> {
  const since = performance.now();
  for (;;) {
    const health = await askHealth(address);
    if (health.kind === 'healthy' || performance.now() - since > limitMs) return health;
    await setTimeout(pauseMs);
  }
}

async function askHealth(address: string): Promise<Health> {
  try {
    const response = await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(CALL_LIMIT_MS) });
    if (response.ok) return { kind: 'healthy' };
    const problem = v.safeParse(v.pipe(v.string(), v.parseJson(), Problem), await response.text());
    // Until an address is known, Cloudflare itself responds with an error page.
    if (!problem.success) return { kind: 'unreached', detail: `HTTP status ${response.status}` };
    return { kind: 'unhealthy', detail: problem.output.detail };
  } catch (error) {
    return { kind: 'unreached', detail: reasonOf(error) };
  }
}
