/** Authentication and authorisation. */
import type { Scope } from '#protocol/api';
import { KIB, MIN_ADMIN_TOKEN_CHARS } from '#protocol/limits';
import { ADMIN_TOKEN_ID, allows, type Credential, type Grant } from '../../shared/credential.ts';
import type { BrakeRecord } from '../../shared/d1/brakes.ts';
import { type FoundCaller, findCaller, type Presented, readCaller, type TokenRecord } from '../../shared/d1/tokens.ts';
import type { Env } from '../../shared/env.ts';
import { equalDigests, sha256 } from '../../shared/hash.ts';
import { log } from '../../shared/log.ts';
import { sessionByHash, signInByHash } from '../../shared/rpc/d1-gateway.ts';
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
  /** The brakes that were active when it connected; absent where they were not read. */
  readonly brakes?: readonly BrakeRecord[];
}

/** A caller of whom nothing was asked of D1 yet. */
export interface PresentedCaller {
  readonly presented: Presented;
  readonly by: Caller['by'];
}

/** @throws ApiError `unauthenticated` if the request has neither a token nor a session cookie */
export function readPresented(request: Request): PresentedCaller {
  const token = readToken(request);
  if (token !== null) return token;
  readHeader(request, 'Cookie', MAX_COOKIE_CHARS);
  const cookie = readSessionCookie(request);
  if (cookie === null) {
    throw new ApiError(
      'unauthenticated',
      'Authentication required: send `Authorization: Bearer <token>`, or sign in to the dashboard.',
    );
  }
  return { presented: { secret: null, session: sha256(cookie) }, by: 'cookie' };
}

/**
 * @param by how the caller authenticates: see `Operation`
 * @throws ApiError `unauthenticated`, `token_expired` or `token_rotated`
 */
export async function authenticate(request: Request, env: Env, now: number, by?: 'bearer' | 'basic'): Promise<Caller> {
  const caller = readAs(request, by);
  const known = deploymentCaller(env, caller);
  if (known !== null) return known;
  if (!isUpgrade(request)) return validCaller(env, caller, await findDirectly(env, caller.presented, now), now);
  const { brakes, ...found } = await findBatched(env, caller.presented);
  return { ...validCaller(env, caller, found, now), ...(brakes !== undefined && { brakes }) };
}

function readAs(request: Request, by: 'bearer' | 'basic' | undefined): PresentedCaller {
  switch (by) {
    case undefined:
      return readPresented(request);
    case 'bearer':
      return requireToken(request);
    case 'basic':
      return readPassword(request);
  }
}

/** @throws ApiError `unauthenticated` if the request has no token */
function requireToken(request: Request): PresentedCaller {
  const token = readToken(request);
  if (token !== null) return token;
  throw new ApiError('unauthenticated', 'Authentication required: send `Authorization: Bearer <token>`.');
}

function readToken(request: Request): PresentedCaller | null {
  const token = readBearer(request);
  return token === null ? null : { presented: { secret: sha256(token), session: null }, by: 'bearer' };
}

/**
 * A client that knows only URLs: `wss://leash:<token>@…`. The user name says nothing.
 *
 * @throws ApiError `unauthenticated` if the request has no password
 */
function readPassword(request: Request): PresentedCaller {
  const [, credentials] =
    /^Basic +([A-Za-z0-9+/=]+)$/i.exec(readHeader(request, 'Authorization', MAX_AUTHORIZATION_CHARS)) ?? [];
  const password = credentials === undefined ? '' : passwordIn(credentials);
  if (password === '') {
    throw new ApiError(
      'unauthenticated',
      'Authentication required: put the token into the URL as the password, as in `wss://leash:<token>@…`.',
    );
  }
  return { presented: { secret: sha256(password), session: null }, by: 'bearer' };
}

function passwordIn(credentials: string): string {
  try {
    const text = atob(credentials);
    return text.slice(text.indexOf(':') + 1);
  } catch {
    // Not base64.
    return '';
  }
}

/**
 * The caller, if it presents the secret of the deployment, which is in no table.
 *
 * @throws ApiError `unauthenticated` if that can be guessed
 */
export function deploymentCaller(env: Env, { presented, by }: PresentedCaller): Caller | null {
  return presented.secret === null ? null : adminCaller(env, { presented, by }, presented.secret);
}

/** @throws ApiError `unauthenticated`, `token_expired` or `token_rotated` */
export function validCaller(env: Env, who: PresentedCaller, found: FoundCaller, now: number): Caller {
  if (found.hash === null) throw new ApiError('unauthenticated', 'The session has ended. Sign in again.');
  const { presented, by } = who;
  return adminCaller(env, who, found.hash) ?? { token: validToken(found.token, now), by, session: presented.session };
}

/**
 * The caller whose secret, or that of its session, has this hash, if it is the deployment's.
 *
 * @throws ApiError `unauthenticated` if that can be guessed
 */
function adminCaller(env: Env, { presented, by }: PresentedCaller, hash: string): Caller | null {
  const adminHash = sha256(env.LEASH_ADMIN_TOKEN);
  if (!equalDigests(hash, adminHash)) return null;
  requireUnguessable(env.LEASH_ADMIN_TOKEN);
  return { token: adminToken(adminHash), by, session: presented.session };
}

/** What is stored with a caller's sockets, and what an object knows a caller by. */
export function credentialOf({ token, session }: Caller): Credential & { grant: Grant } {
  const { name, scopes, jobs } = token;
  return { token: token.id, secret: token.hash, session, grant: { name, scopes: [...scopes], jobs } };
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
export async function resolveToken(env: Env, hash: string, now: number): Promise<TokenRecord> {
  const presented = { secret: hash, session: null };
  const who = { presented, by: 'bearer' } as const;
  const known = deploymentCaller(env, who);
  return (known ?? validCaller(env, who, await findDirectly(env, presented, now), now)).token;
}

/** @throws ApiError `unauthenticated`, `token_expired` or `token_rotated` */
function validToken(token: TokenRecord | null, now: number): TokenRecord {
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

/** One query for each call: calls of people must not wait behind a crowd of wrappers. */
async function findDirectly({ DB }: Env, presented: Presented, now: number): Promise<FoundCaller> {
  return readCaller(await findCaller(DB, presented, now).all());
}

/**
 * Wrappers and viewers connect in crowds (cron at :00, after a deploy): the gateway batches their queries. The brakes come
 * with the token.
 */
async function findBatched(env: Env, { secret, session }: Presented): Promise<FoundCaller & Pick<Caller, 'brakes'>> {
  const hash = secret ?? (await orUnavailable(sessionByHash(env, session)));
  if (hash === null || equalDigests(hash, sha256(env.LEASH_ADMIN_TOKEN))) return { hash, token: null };
  return { hash, ...(await orUnavailable(signInByHash(env, hash))) };
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
