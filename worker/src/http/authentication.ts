/** Who calls, and what they may do. */
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
import { ApiError } from '../api-error.ts';
import { readSessionCookie } from './session-cookie.ts';

const MAX_AUTHORIZATION_CHARS = 512;
/** Other programs at the same host may have cookies, too. */
const MAX_COOKIE_CHARS = 8 * KIB;

/** A caller who has shown a valid token, or the cookie of a page that has. */
export interface Caller {
  readonly token: TokenRecord;
  /** `cookie`: a browser sends it by itself, so changes must come from our own page. */
  readonly by: 'bearer' | 'cookie';
  /** The hash by which the page's session is known; null with `bearer`. */
  readonly session: string | null;
}

/**
 * Finds out who calls.
 *
 * @throws ApiError `unauthenticated`, `token_expired` or `token_rotated`
 */
export async function authenticate(request: Request, env: Env, now: number): Promise<Caller> {
  const credentials = isUpgrade(request) ? batchedCredentials(env) : directCredentials(env);
  const bearer = readBearer(request);
  if (bearer !== null) {
    return { token: await validToken(env, credentials, sha256(bearer), now), by: 'bearer', session: null };
  }
  readHeader(request, 'Cookie', MAX_COOKIE_CHARS);
  const cookie = readSessionCookie(request);
  if (cookie === null) {
    throw new ApiError('unauthenticated', 'Send a token: `Authorization: Bearer …`, or sign in on the page.');
  }
  const session = sha256(cookie);
  const tokenHash = await credentials.session(session, now);
  if (tokenHash === null) throw new ApiError('unauthenticated', 'This session has ended. Sign in again.');
  return { token: await validToken(env, credentials, tokenHash, now), by: 'cookie', session };
}

/** Whether a request shows anything that could say who calls, right or wrong. */
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
 * The first admin token is a secret of the deployment and in no table: it is valid as long as the secret stands.
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
  if (token === null) throw new ApiError('unauthenticated', 'This token is not known. Check it, or ask for a new one.');
  if (token.expiresAt !== null && token.expiresAt <= now) {
    throw new ApiError('token_expired', `This token expired at ${new Date(token.expiresAt).toISOString()}.`, {}, token);
  }
  if (token.secretExpiresAt !== null && token.secretExpiresAt <= now) {
    throw new ApiError(
      'token_rotated',
      `This token was given a new secret, and this one ended at ${new Date(token.secretExpiresAt).toISOString()}.`,
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

/** A call of its own for each: what few ask for, and a kill, must not wait in line with a crowd. */
function directCredentials({ DB }: Env): Credentials {
  return {
    token: (hash) => findTokenByHash(DB, hash),
    session: (hash, now) => findSession(DB, hash, now),
  };
}

/** Those who connect come all at once, at the full hour and after a deploy: D1 is asked for all of them together. */
function batchedCredentials(env: Env): Credentials {
  return {
    token: (hash) => orUnavailable(tokenByHash(env, hash)),
    session: (hash) => orUnavailable(sessionByHash(env, hash)),
  };
}

/** @throws ApiError `unavailable`: whoever connects comes again after a pause */
async function orUnavailable<Found>(found: Promise<Found>): Promise<Found> {
  try {
    return await found;
  } catch (error) {
    log.error('sign_in_failed', error);
    throw new ApiError('unavailable', 'The database does not answer. Try again.');
  }
}

function isUpgrade(request: Request): boolean {
  return request.headers.get('Upgrade')?.toLowerCase() === 'websocket';
}

/** A person chose it, and whoever guesses is slowed down, not stopped. All other secrets are made here. */
function requireUnguessable(secret: string): void {
  if (secret.length >= MIN_ADMIN_TOKEN_CHARS) return;
  throw new ApiError(
    'unauthenticated',
    `LEASH_ADMIN_TOKEN has fewer than ${MIN_ADMIN_TOKEN_CHARS} characters and is not accepted. Set a long random one.`,
  );
}

/** Whether a token gives a right, for a job where one is concerned. `admin` includes the others. */
export function allows(token: TokenRecord, scope: Scope, job?: string): boolean {
  const inScope = token.scopes.includes(scope) || token.scopes.includes('admin');
  return inScope && (job === undefined || matchesGlob(token.jobs, job));
}

/** @throws ApiError `forbidden` when none of the scopes is given for the job */
export function requireScope(token: TokenRecord, scopes: readonly Scope[], job?: string): void {
  if (scopes.some((scope) => allows(token, scope, job))) return;
  const needed = scopes.join(' or ');
  throw new ApiError(
    'forbidden',
    job === undefined
      ? `This needs a token with the scope ${needed}.`
      : `This needs a token with the scope ${needed} for the job ${job}.`,
  );
}

/** @throws ApiError `forbidden` when the token is for some jobs only, and what is asked for is about all */
export function requireAllJobs(token: TokenRecord): void {
  if (token.jobs !== '*') throw new ApiError('forbidden', 'This is about all jobs, and your token is for some only.');
}

/**
 * To give rights one needs them all: an admin of some jobs only could make itself one of all.
 *
 * @throws ApiError `forbidden`
 */
export function requireFullAdmin(token: TokenRecord): void {
  requireScope(token, ['admin']);
  if (token.jobs !== '*') throw new ApiError('forbidden', 'Only an admin of all jobs may look after tokens.');
}

/**
 * A browser sends its cookie along with any page's request: only our own page's counts. A bearer token is never sent by
 * itself.
 *
 * @throws ApiError `wrong_origin`
 */
export function requireOwnOrigin(request: Request, caller: Pick<Caller, 'by'>): void {
  if (caller.by === 'bearer') return;
  if (request.headers.get('Origin') !== new URL(request.url).origin) {
    throw new ApiError(
      'wrong_origin',
      'This is for the page itself. From elsewhere send a token: `Authorization: Bearer …`.',
    );
  }
}

function readBearer(request: Request): string | null {
  const match = /^Bearer +(\S+)$/i.exec(readHeader(request, 'Authorization', MAX_AUTHORIZATION_CHARS));
  return match?.[1] ?? null;
}

/** @throws ApiError `bad_request` when it is longer than anything that we gave out */
function readHeader(request: Request, name: string, maxChars: number): string {
  const value = request.headers.get(name) ?? '';
  if (value.length > maxChars) throw new ApiError('bad_request', `${name} has at most ${maxChars} characters.`);
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
