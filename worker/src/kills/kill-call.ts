/** A call that kills, as the use case sees it. */
import type { IdempotencyKey } from '../../shared/d1/idempotency.ts';
import type { TokenRecord } from '../../shared/d1/tokens.ts';
import type { Env } from '../../shared/env.ts';
import { sha256 } from '../../shared/hash.ts';
import { ApiError } from '../api-error.ts';
import type { CallOrigin } from '../audit-entry.ts';

export interface KillCall extends CallOrigin {
  readonly env: Env;
  readonly token: TokenRecord;
  /** The header's value; null without one. */
  readonly idempotencyKey: string | null;
}

/** @param request what the key is for: the same key with another request is a conflict */
export function idempotencyOf({ token, idempotencyKey }: KillCall, request: unknown): IdempotencyKey | null {
  if (idempotencyKey === null) return null;
  return { actor: token.id, key: idempotencyKey, fingerprint: sha256(JSON.stringify(request)) };
}

export function keyReused(): ApiError {
  return new ApiError(
    'idempotency_conflict',
    'This Idempotency-Key was already used with a different request. Use a new key.',
  );
}
