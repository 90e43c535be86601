/** Calling the gateway to D1. One object for each purpose, so that no purpose queues behind another. */
import type { Kill } from '#protocol/api';
import type { Committed, D1GatewayObject } from '../durable/d1-gateway/d1-gateway-object.ts';
import { callObject } from './call-object.ts';
import type { Registration, Standing } from './d1/open-sockets.ts';
import type { TokenRecord } from './d1/tokens.ts';
import type { Env } from './env.ts';
import type { JobChanges } from './job-changes.ts';
import { within } from './within.ts';

/** Longer than the gateway takes to give up on D1: this is for a call that is lost altogether. */
const CALL_LIMIT_MS = 20_000;

/** The token with this hash, as it is in D1 after the call began. */
export function tokenByHash(env: Env, hash: string): Promise<TokenRecord | null> {
  return call(env, 'sign-in', async (gateway) => await gateway.token(hash));
}

/** The hash of the token that a session was opened with; null when there is no such session, or no longer. */
export function sessionByHash(env: Env, hash: string): Promise<string | null> {
  return call(env, 'sign-in', async (gateway) => await gateway.session(hash));
}

/** Registers an object for the sockets of a token, and tells what of it stands after the call began. */
export function registerSockets(env: Env, registration: Registration): Promise<Standing> {
  return call(env, 'sockets', async (gateway) => await gateway.registerSockets(registration));
}

/** A page of what the queue in D1 holds for a job, oldest first, empty at the end. */
export function queuedKills(env: Env, job: string, after: string): Promise<Kill[]> {
  return call(env, 'queue', async (gateway) => await gateway.queuedKills({ job, after }));
}

/** Brings D1 up to date, and then the watching pages. */
export function commitChanges(env: Env, changes: JobChanges): Promise<Committed> {
  return call(env, 'changes', async (gateway) => await gateway.commit(changes));
}

function call<Result>(
  env: Env,
  purpose: 'sign-in' | 'sockets' | 'queue' | 'changes',
  ask: (gateway: DurableObjectStub<D1GatewayObject>) => Promise<Result>,
): Promise<Result> {
  return within(CALL_LIMIT_MS, `the D1 gateway for ${purpose}`, callObject(env.D1_GATEWAY, purpose, ask));
}
