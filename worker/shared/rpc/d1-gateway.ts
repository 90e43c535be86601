/** What the gateway to D1 can be called for. One object for each purpose, so that no purpose queues behind another. */
import { withTimeout } from '#shared/with-timeout';
import type { BrakeRecord } from '../d1/brakes.ts';
import type { QueuedKill } from '../d1/kill-queue.ts';
import type { Registration, ValidCredentials } from '../d1/open-sockets.ts';
import type { TokenRecord } from '../d1/tokens.ts';
import type { Env } from '../env.ts';
import type { JobChanges } from '../job-changes.ts';
import { log } from '../log.ts';
import type { WantedKinds } from './alerts-object.ts';
import { callObject } from './call-object.ts';
import { isMissingMethod } from './missing-method.ts';
import { nearD1 } from './near-d1.ts';
import { objectByName } from './objects.ts';

export interface D1GatewayRpc extends Rpc.DurableObjectBranded {
  /**
   * The token with this hash, and the brakes that are active, as they are in D1 after the call began.
   *
   * @param hash null: only the brakes are asked for
   */
  signIn(hash: string | null): Promise<SignIn>;

  /** The same without the brakes, for an older Worker. */
  token(hash: string): Promise<TokenRecord | null>;

  /** The hash of the token that a session was opened with; null if there is no such session, or it has ended. */
  session(hash: string): Promise<string | null>;

  /** Registers an object for the sockets of a token. @returns which of its credentials are valid after the call began */
  registerSockets(registration: Registration): Promise<ValidCredentials>;

  /** A page of the kills in a job's queue, oldest first, empty at the end. */
  unacceptedKills(position: QueuePosition): Promise<QueuedKill[]>;

  /** Writes changes to D1, and then publishes them to viewers. Returns when D1 has them. */
  commit(changes: JobChanges): Promise<Committed>;

  /** Which occurrences the alerts object wants from now on. */
  setWantedKinds(wanted: WantedKinds): void;

  /** The fleet object has a viewer: from now on changes are published. */
  viewerArrived(): void;
}

/** What is read from D1 when a wrapper or a viewer connects. */
export interface SignIn {
  /** Null if no token has the hash. */
  readonly token: TokenRecord | null;
  readonly brakes: readonly BrakeRecord[];
}

/** Where a job's object continues to read the queue: after this kill. */
export interface QueuePosition {
  readonly job: string;
  readonly after: string;
}

/** What came of changes that D1 has. */
export interface Committed {
  /** Runs of other jobs that have the id of one of these. */
  readonly namesakes: readonly NamesakeRun[];
}

/** A run of another job with the id of one of this job's. */
export interface NamesakeRun {
  readonly run: string;
  readonly otherJob: string;
}

/** Longer than the gateway waits for D1: for a call that is lost altogether. */
const CALL_LIMIT_MS = 20_000;

export async function signInByHash(env: Env, hash: string | null): Promise<SignIn> {
  try {
    return await call(env, 'sign-in', async (gateway) => await gateway.signIn(hash));
  } catch (error) {
    if (!isMissingMethod(error)) throw error;
    // An older gateway, for some minutes after a deploy: what it doesn't read the sweep enforces.
    const token = hash === null ? null : await call(env, 'sign-in', async (gateway) => await gateway.token(hash));
    return { token, brakes: [] };
  }
}

/** Whether wrappers can be authenticated. Never throws. */
export async function canSignIn(env: Env): Promise<boolean> {
  try {
    await signInByHash(env, 'none has this hash');
    return true;
  } catch (error) {
    log.warn('sign_in_unavailable', { error: String(error) });
    return false;
  }
}

export function sessionByHash(env: Env, hash: string): Promise<string | null> {
  return call(env, 'sign-in', async (gateway) => await gateway.session(hash));
}

export function registerSockets(env: Env, registration: Registration): Promise<ValidCredentials> {
  return call(env, 'sockets', async (gateway) => await gateway.registerSockets(registration));
}

export function unacceptedKills(env: Env, job: string, after: string): Promise<QueuedKill[]> {
  return call(env, 'queue', async (gateway) => await gateway.unacceptedKills({ job, after }));
}

export function commitChanges(env: Env, changes: JobChanges): Promise<Committed> {
  return call(env, 'changes', async (gateway) => await gateway.commit(changes));
}

/** A viewer must not be let in before this: what is committed after it is published. */
export function reportViewer(env: Env): Promise<void> {
  return call(env, 'changes', async (gateway) => await gateway.viewerArrived());
}

/** Occurrences of these kinds, and no others, are passed on to the alerts object from now on. */
export function setWantedKinds(env: Env, wanted: WantedKinds): Promise<void> {
  return call(env, 'changes', async (gateway) => await gateway.setWantedKinds(wanted));
}

function call<Result>(
  env: Env,
  purpose: 'sign-in' | 'sockets' | 'queue' | 'changes',
  callGateway: (gateway: DurableObjectStub<D1GatewayRpc>) => Promise<Result>,
): Promise<Result> {
  const gateway = () => objectByName(env, env.D1_GATEWAY, purpose, nearD1(env));
  return withTimeout(callObject(gateway, callGateway), CALL_LIMIT_MS, {
    what: `the D1 gateway for ${purpose}`,
  });
}
