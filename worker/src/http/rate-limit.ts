/**
 * Brakes, not quotas: the runtime counts by location, and a little late. How much is allowed is in wrangler.toml.
 *
 * Only failing sign-ins count, and only they are refused: behind one address there may be a whole fleet, and one machine
 * with a bad token must not lock the others out. So it is no protection of a secret that can be guessed; secrets that
 * can't be guessed are (`MIN_ADMIN_TOKEN_CHARS`). Wrappers are left out: told 401, they ask once a minute; told 429 they
 * would come again within seconds.
 */
import { log } from '../../shared/log.ts';
import { ApiError } from '../api-error.ts';
import { clientAddress, network } from './client-address.ts';
import type { AppContext } from './context.ts';
import { isSocket } from './operation.ts';

/** The period of the limits in wrangler.toml. */
const RETRY = { 'Retry-After': '60' };

/** The error that a refused sign-in is answered by: another one, if too many from there have failed. */
export async function limitSignIn(c: AppContext, error: ApiError): Promise<ApiError> {
  const address = clientAddress(c);
  if (!isFailedSignIn(c, error) || address === null) return error;
  if (await isAllowed(c.env.FAILED_SIGN_INS, network(address))) return error;
  return new ApiError(
    'rate_limited',
    'Too many sign-ins from this address have failed. Check the token, and try again in a minute.',
    RETRY,
    error.actor,
  );
}

/** @throws ApiError `rate_limited` */
export async function requireKillRate(c: AppContext, token: string): Promise<void> {
  if (await isAllowed(c.env.KILLS, token)) return;
  throw new ApiError(
    'rate_limited',
    'This token has made too many kills within a minute. Wait a little, or stop more with one call.',
    RETRY,
  );
}

/** A page whose session is over, and one that has none yet, has tried nothing. */
function isFailedSignIn(c: AppContext, error: ApiError): boolean {
  const operation = c.get('operation');
  if (error.code !== 'unauthenticated' && error.code !== 'token_expired' && error.code !== 'token_rotated')
    return false;
  if (operation === undefined || isSocket(operation)) return false;
  return operation.access.kind === 'anyone' || c.req.header('Authorization') !== undefined;
}

/** A brake that fails must not be what stops a kill. */
async function isAllowed(limit: RateLimit, key: string): Promise<boolean> {
  try {
    return (await limit.limit({ key })).success;
  } catch (error) {
    log.error('rate_limit_failed', error);
    return true;
  }
}
