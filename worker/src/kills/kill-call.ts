/** A call that kills, as the use case sees it. */
import type { IdempotencyKey } from '../../shared/d1/idempotency.ts';
import type { KillCaller } from '../../shared/d1/new-kills.ts';
import { type FoundCaller, findCaller, type Presented, readCaller, type TokenRecord } from '../../shared/d1/tokens.ts';
import type { Env } from '../../shared/env.ts';
import { sha256 } from '../../shared/hash.ts';
import type { ConfirmedCaller } from '../../shared/rpc/job-object.ts';
import { ApiError } from '../api-error.ts';
import type { CallOrigin } from '../audit-entry.ts';

export interface KillCall extends CallOrigin {
  readonly env: Env;
  readonly presented: Presented;
  /** The caller's token if it is the deployment's secret, of which D1 knows nothing. */
  readonly known: TokenRecord | null;
  /** The header's value; null without one. */
  readonly idempotencyKey: string | null;
  /** Continues after the response. */
  waitUntil(promise: Promise<unknown>): void;
  /** Checks whom D1 has found. @throws ApiError if that caller may not make this call */
  verify(found: FoundCaller): VerifiedCaller;
}

export interface VerifiedCaller {
  readonly token: TokenRecord;
  /** For a job's object. */
  readonly confirmed: ConfirmedCaller;
}

/** The caller's token, verified before anything else is done. @throws ApiError */
export async function callerToken({ env, known, presented, verify }: KillCall): Promise<TokenRecord> {
  if (known !== null) return known;
  return verify(readCaller(await findCaller(env.DB, presented, Date.now()).all())).token;
}

/** The idempotency key for this request; null without one. The same key with another request is a conflict. */
export function keyOf(
  { idempotencyKey }: KillCall,
  request: unknown,
): Pick<IdempotencyKey, 'key' | 'fingerprint'> | null {
  return idempotencyKey === null ? null : { key: idempotencyKey, fingerprint: sha256(JSON.stringify(request)) };
}

/** Who calls, for the stores that verify it themselves. */
export function callerOf({ env, known, presented }: KillCall): KillCaller {
  if (known === null) return { kind: 'presented', presented, adminHash: sha256(env.LEASH_ADMIN_TOKEN) };
  const { id, name, jobs } = known;
  return { kind: 'known', caller: { id, name, jobs } };
}

export function keyReused(): ApiError {
  return new ApiError(
    'idempotency_conflict',
    'This Idempotency-Key was already used with a different request. Use a new key.',
  );
}
