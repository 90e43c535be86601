/**
 * Rate limits. They are approximate: the runtime counts by location, with a small delay. wrangler.toml has the numbers.
 *
 * Only failed sign-ins count, and only they are refused: a whole fleet may share one address, and one machine with a bad
 * token must not lock the others out. This doesn't protect a secret that can be guessed (see `MIN_ADMIN_TOKEN_CHARS`).
 * Wrappers are exempt: after a 401 they retry once a minute, after a 429 within seconds.
 */
import { log } from '../../shared/log.ts';
import { ApiError } from '../api-error.ts';
import { clientAddress, network } from './client-address.ts';
import type { AppContext } from './context.ts';
import { isSocket } from './operation.ts';

/** The period of the limits in wrangler.toml. */
const RETRY = { 'Retry-After': '60' };

/** @returns the error of a call, or `rate_limited` if it is a failed sign-in and too many from its address have failed */
export async function limitSignIn(c: AppContext, error: ApiError): Promise<ApiError> {
  const address = clientAddress(c);
  if (!isFailedSignIn(c, error) || address === null) return error;
  if (await isAllowed(c.env.FAILED_SIGN_INS, network(address))) return error;
  return new ApiError(
    'rate_limited',
    'Too many failed sign-ins from this address. Check the token, and try again in a minute.',
    RETRY,
    error.actor,
  );
}

/** Whether a wrong kill link may be looked up again from its address: as with failed sign-ins, right ones never count. */
export async function allowsWrongLink(c: AppContext): Promise<boolean> {
  const address = clientAddress(c);
  return address === null || (await isAllowed(c.env.FAILED_SIGN_INS, network(address)));
}

/** @param presented the hash of the secret or session that the call presents @throws ApiError `rate_limited` */
export async function requireKillRate(c: AppContext, presented: string): Promise<void> {
  if (await isAllowed(c.env.KILLS, presented)) return;
  throw new ApiError(
    'rate_limited',
    'Too many kills with this token. Try again in a minute, or kill more runs with one call.',
    RETRY,
  );
}

/** A dashboard without a session, or whose session has ended, has tried nothing. */
function isFailedSignIn(c: AppContext, error: ApiError): boolean {
  const operation = c.get('operation');
  if (error.code !== 'unauthenticated' && error.code !== 'token_expired' && error.code !== 'token_rotated')
    return false;
  if (operation === undefined || isSocket(operation)) return false;
  return operation.access.kind === 'anyone' || c.req.header('Authorization') !== undefined;
}

/** A rate limiter that fails must not prevent a kill. */
async function isAllowed(limit: RateLimit, key: string): Promise<boolean> {
  try {
    return (await limit.limit({ key })).success;
  } catch (error) {
    log.error('rate_limit_failed', error);
    return true;
  }
}
