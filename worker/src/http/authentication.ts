/** Authentication and authorisation. */
import type { Scope } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { KIB, MIN_ADMIN_TOKEN_CHARS } from '#protocol/limits';
import { ADMIN_TOKEN_ID } from '../../shared/credential.ts';
import { findSession } from '../../shared/d1/sessions.ts';
import { findTokenByHash, type TokenRecord } from '../../shared/d1/tokens.ts';
import type { Env } from '../../shared/env.ts';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { sessionByHash, tokenByHash } from '../../shared/rpc/d1-gateway.ts';
import { ApiError, databaseUnavailable } from '../api-error.ts';
import { readSessionCookie } from './session-cookie.ts';

const MAX_AUTHORIZATION_CHARS = 512;
/** Other programs at the same host may have cookies, too. */
const MAX_COOKIE_CHARS = 8 * KIB;

/** A caller with a valid token, or with the session cookie of the dashboard. */
export interface Caller {
  readonly token: TokenRecord;
  /** `cookie`: browsers send it by themselves, so changes must come from the dashboard's own origin. */
  readonly by: 'bearer' | 'cookie';
  /** The hash of the session cookie; null with `bearer`. */
  readonly session: string | null;
}

/** @throws ApiError `unauthenticated`, `token_expired` or `token_rotated` */
export async function authenticate(request: Request, env: Env, now: number): Promise<Caller> {
  const credentials = isUpgrade(request) ? batchedCredentials(env) : directCredentials(env);
  const bearer = readBearer(request);
  if (bearer !== null) {
    return { token: await validToken(env, credentials, sha256(bearer), now), by: 'bearer', session: null };
  }
  readHeader(request, 'Cookie', MAX_COOKIE_CHARS);
  const cookie = readSessionCookie(request);
  if (cookie === null) {
    throw new ApiError(
      'unauthenticated',
      'Authentication required: send `Authorization: Bearer <token>`, or sign in to the dashboard.',
    );
  }
  const session = sha256(cookie);
  const tokenHash = await credentials.session(session, now);
  if (tokenHash === null) throw new ApiError('unauthenticated', 'The session has ended. Sign in again.');
  return { token: await validToken(env, credentials, tokenHash, now), by: 'cookie', session };
}

/** Whether a request has a token or a session cookie, valid or not. */
export function presentsCredential(request: Request): boolean {
  return request.headers.has('Authorization') || readSessionCookie(request) !== null;
}

/**
 * The token with this hash.
 *
 * @throws ApiError `unauthenticated`, `token_expired` or `token_rotated`
 */
export function resolveToken(env: Env, hash: string, now: number): Promise<TokenRecord> {
  return validToken(env, directCredentials(env), hash, now);
}

/**
 * The first admin token is a secret of the deployment, not a row of a table.
 *
 * @throws ApiError `unauthenticated`, `token_expired` or `token_rotated`
 */
async function validToken(env: Env, credentials: Credentials, hash: string, now: number): Promise<TokenRecord> {
  const adminHash = sha256(env.LEASH_ADMIN_TOKEN);
  if (equalDigests(hash, adminHash)) {
    requireUnguessable(env.LEASH_ADMIN_TOKEN);
    return adminToken(adminHash);
  }
  const token = await credentials.token(hash);
  if (token === null) throw new ApiError('unauthenticated', 'Unknown token. Check it, or ask for a new one.');
  if (token.expiresAt !== null && token.expiresAt <= now) {
    throw new ApiError('token_expired', `The token expired at ${new Date(token.expiresAt).toISOString()}.`, {}, token);
  }
  if (token.secretExpiresAt !== null && token.secretExpiresAt <= now) {
    throw new ApiError(
      'token_rotated',
      `The secret of this token was rotated; this old secret expired at ${new Date(token.secretExpiresAt).toISOString()}.`,
      {},
      token,
    );
  }
  return token;
}

/** Where tokens and sessions are looked up, by their hashes. */
interface Credentials {
  token(hash: string): Promise<TokenRecord | null>;
  session(hash: string, now: number): Promise<string | null>;
}

/** One query for each call: calls of people, and kills, must not wait behind a crowd of wrappers. */
function directCredentials({ DB }: Env): Credentials {
  return {
    token: (hash) => findTokenByHash(DB, hash),
    session: (hash, now) => findSession(DB, hash, now),
  };
}

/** Wrappers and viewers connect in crowds (cron at :00, after a deploy): the gateway batches their queries. */
function batchedCredentials(env: Env): Credentials {
  return {
    token: (hash) => orUnavailable(tokenByHash(env, hash)),
    session: (hash) => orUnavailable(sessionByHash(env, hash)),
  };
}

/** @throws ApiError `unavailable`: who connects tries again after a pause */
async function orUnavailable<Found>(found: Promise<Found>): Promise<Found> {
  try {
    return await found;
  } catch (error) {
    log.error('sign_in_failed', error);
    throw databaseUnavailable();
  }
}

function isUpgrade(request: Request): boolean {
  return request.headers.get('Upgrade')?.toLowerCase() === 'websocket';
}

/** A person chose it, and rate limits only slow down guessing. All other secrets are generated. */
function requireUnguessable(secret: string): void {
  if (secret.length >= MIN_ADMIN_TOKEN_CHARS) return;
  throw new ApiError(
    'unauthenticated',
    `LEASH_ADMIN_TOKEN must have at least ${MIN_ADMIN_TOKEN_CHARS} characters. Set a long random one.`,
  );
}

/** Whether a token has a scope, for a job if one is given. `admin` includes the other scopes. */
export function allows(token: TokenRecord, scope: Scope, job?: string): boolean {
  const inScope = token.scopes.includes(scope) || token.scopes.includes('admin');
  return inScope && (job === undefined || matchesGlob(token.jobs, job));
}

/** @throws ApiError `forbidden` if the token has none of the scopes for the job */
export function requireScope(token: TokenRecord, scopes: readonly Scope[], job?: string): void {
  if (scopes.some((scope) => allows(token, scope, job))) return;
  const required = scopes.map((scope) => `\`${scope}\``).join(' or ');
  throw new ApiError(
    'forbidden',
    `This requires a token with the scope ${required}${job === undefined ? '' : ` for job ${job}`}.`,
  );
}

/** @throws ApiError `forbidden` if the token isn't for all jobs */
export function requireAllJobs(token: TokenRecord): void {
  if (token.jobs !== '*') throw new ApiError('forbidden', 'This requires a token for all jobs.');
}

/**
 * An admin of some jobs could otherwise create a token for all of them.
 *
 * @throws ApiError `forbidden`
 */
export function requireFullAdmin(token: TokenRecord): void {
  requireScope(token, ['admin']);
  if (token.jobs !== '*') throw new ApiError('forbidden', 'Managing tokens requires the `admin` scope for all jobs.');
}

/**
 * Browsers send cookies with requests from any site; only requests from the dashboard's own origin count. They never send a
 * bearer token by themselves.
 *
 * @throws ApiError `wrong_origin`
 */
export function requireOwnOrigin(request: Request, caller: Pick<Caller, 'by'>): void {
  if (caller.by === 'bearer') return;
  if (request.headers.get('Origin') !== new URL(request.url).origin) {
    throw new ApiError(
      'wrong_origin',
      'A session cookie is accepted only from the dashboard itself. Send `Authorization: Bearer <token>` instead.',
    );
  }
}

function readBearer(request: Request): string | null {
  const match = /^Bearer +(\S+)$/i.exec(readHeader(request, 'Authorization', MAX_AUTHORIZATION_CHARS));
  return match?.[1] ?? null;
}

/** @throws ApiError `bad_request` if it is longer than any that is issued */
function readHeader(request: Request, name: string, maxChars: number): string {
  const value = request.headers.get(name) ?? '';
  if (value.length > maxChars) throw new ApiError('bad_request', `${name} must not exceed ${maxChars} characters.`);
  return value;
}

function adminToken(hash: string): TokenRecord {
  return {
    id: ADMIN_TOKEN_ID,
    name: 'admin',
    hash,
    scopes: ['admin'],
    jobs: '*',
    machines: '*',
    createdAt: 0,
    expiresAt: null,
    secretExpiresAt: null,
    lastUsedAt: null,
  };
}
