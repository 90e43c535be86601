/** Closing the sockets of what has ended: the objects that hold some are told to look. */

import { mapConcurrent } from '#shared/map-concurrent';
import { withTimeout } from '#shared/with-timeout';
import { FLEET, type StaleSockets, staleSockets } from '../shared/d1/open-sockets.ts';
import type { Env } from '../shared/env.ts';
import { log } from '../shared/log.ts';
import { callJob } from '../shared/rpc/job-object.ts';

/** An object call is a subrequest, and one invocation has a thousand. What is over is for the sweep. */
const CALLS_PER_INVOCATION = 800;
const CALLS_AT_ONCE = 20;
/** One that never answers must not hold up the others, nor the sweep. Longer than an object waits for the gateway. */
const CALL_LIMIT_MS = 25_000;
/** Whoever revokes is answered after this long, in any case; the calls go on. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Has the objects close the sockets of a token that were opened with what has ended.
 *
 * They are marked in D1: one that can't be reached is called again by the sweep.
 *
 * @param marked what `markStale` gave back
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

/** Calls those that were not reached before. */
export async function closeStaleSockets(env: Env, limit: number): Promise<void> {
  await callAll(env, await staleSockets(env.DB, limit));
}

async function callAll(env: Env, stale: readonly StaleSockets[]): Promise<void> {
  await mapConcurrent(stale, CALLS_AT_ONCE, (sockets) => callOne(env, sockets));
}

/** One object that fails must not keep the others from being called; it stays marked. */
async function callOne(env: Env, { token, object }: StaleSockets): Promise<void> {
  try {
    await withTimeout(
      object === FLEET
        ? env.FLEET.getByName('fleet').checkCredentials(token)
        : callJob(env, object, (job) => job.checkCredentials(token)),
      CALL_LIMIT_MS,
      { what: 'the object' },
    );
  } catch (error) {
    log.error('sockets_not_closed', error, { token, object });
  }
}
