/** `Idempotency-Key`: the same call twice does something once. */
import * as v from 'valibot';
import { ApiError } from '../api-error.ts';
import type { AppContext } from './context.ts';

const MAX_KEY_CHARS = 128;
const IdempotencyKey = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_KEY_CHARS));

/** For the declaration of an operation. */
export const IDEMPOTENCY_HEADER = {
  'Idempotency-Key': `Any text of up to ${MAX_KEY_CHARS} characters. A repeated call with the same key returns what the first call has made.`,
} as const;

/** Null without one. @throws ApiError `bad_request` when it is too long */
export function readIdempotencyKey(c: AppContext): string | null {
  const key = c.req.header('Idempotency-Key') ?? null;
  if (key !== null && !v.is(IdempotencyKey, key)) {
    throw new ApiError('bad_request', `Idempotency-Key: must have 1 to ${MAX_KEY_CHARS} characters`);
  }
  return key;
}
