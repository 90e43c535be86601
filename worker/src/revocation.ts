/** Closing sockets of revoked tokens, replaced secrets and ended sessions: each object that has some is called. */

import { mapConcurrent } from '#shared/map-concurrent';
import { withTimeout } from '#shared/with-timeout';
import { FLEET, type StaleSockets, staleSockets } from '../shared/d1/open-sockets.ts';
import type { Env } from '../shared/env.ts';
import { log } from '../shared/log.ts';
import { fleetObject } from '../shared/rpc/fleet-object.ts';
import { callJob } from '../shared/rpc/job-object.ts';

/** An object call is a subrequest, and one invocation has a thousand. The sweep calls the rest. */
const CALLS_PER_INVOCATION = 800;
const CALLS_AT_ONCE = 20;
/** An object that hangs must not delay the others, nor the sweep. Longer than an object waits for the gateway. */
const CALL_LIMIT_MS = 25_000;
/** The response is sent after this long at the latest; the calls continue. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Has the objects close the sockets of a token whose credentials have ended. They are marked in D1, so the sweep calls
 * again those that can't be reached.
 *
 * @param marked the result of `markStale`
 */
export async function closeSockets(
  { env, executionCtx }: { readonly env: Env; readonly executionCtx: Pick<ExecutionContext, 'waitUntil'> },
  token: string,
  marked: D1Result | undefined,
): Promise<void> {
  const rows = (marked?.results ?? []) as { object: string }[];
  const objects = [...new Set(rows.map(({ object }) => object))];
  const calls = callAll(
    env,
    objects.slice(0, CALLS_PER_INVOCATION).map((object) => ({ token, object })),
  );
  executionCtx.waitUntil(calls);
  await Promise.race([calls, scheduler.wait(ANSWER_WITHIN_MS)]);
}

/** Calls objects that could not be reached before. */
export async function closeStaleSockets(env: Env, limit: number): Promise<void> {
  await callAll(env, await staleSockets(env.DB, limit));
}

async function callAll(env: Env, stale: readonly StaleSockets[]): Promise<void> {
  await mapConcurrent(stale, CALLS_AT_ONCE, (sockets) => callOne(env, sockets));
}

/** Never throws. An object that fails stays marked. */
async function callOne(env: Env, { token, object }: StaleSockets): Promise<void> {
  try {
    await withTimeout(
      object === FLEET
        ? fleetObject(env).checkCredentials(token)
        : callJob(env, object, (job) => job.checkCredentials(token)),
      CALL_LIMIT_MS,
      { what: 'the object' },
    );
  } catch (error) {
    log.error('sockets_not_closed', error, { token, object });
  }
}
