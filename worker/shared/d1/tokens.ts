/** Tokens, as hashes of their secrets. */
import * as v from 'valibot';
import { Scope, type Token } from '#protocol/api';
import type { NewToken } from '#protocol/new-token';

/** A token, found by one of its secrets. */
export interface TokenRecord extends ListedToken {
  /** Of the secret by which it was found. Sockets and sessions end with the secret they were opened with. */
  readonly hash: string;
  /** When that secret ends, if it was rotated. */
  readonly secretExpiresAt: number | null;
}

export interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly jobs: string;
  readonly machines: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** To within ten minutes. */
  readonly lastUsedAt: number | null;
}

type Row<Token extends ListedToken> = Omit<Token, 'scopes'> & { scopes: string };
const COLUMNS = `tokens.id, name, scopes, jobs, machines, created_at AS "createdAt",
  tokens.expires_at AS "expiresAt", last_used_at AS "lastUsedAt"`;
const SELECT = `SELECT ${COLUMNS}, hash, secrets.expires_at AS "secretExpiresAt"
  FROM secrets JOIN tokens ON tokens.id = secrets.token`;
const Scopes = v.array(Scope);

/** What a call presents, as hashes: a token's secret, or the cookie of a session. */
export type Presented =
  | { readonly secret: string; readonly session: null }
  | { readonly secret: null; readonly session: string };

/** What is known of a caller. */
export interface FoundCaller {
  /** The hash of the secret that was presented, or that the session was opened with; null if the session has ended. */
  readonly hash: string | null;
  /** Null if no token has that secret. The first admin token is in no table. */
  readonly token: TokenRecord | null;
}

/**
 * The caller that presents this: one row.
 *
 * The time of an index lookup may reveal how much of the hash matches. That doesn't help: nobody can choose secrets by their
 * hashes.
 */
export function findCaller(db: D1Database, { secret, session }: Presented, now: number): D1PreparedStatement {
  return db
    .prepare(
      `SELECT presented.hash, ${COLUMNS}, secrets.expires_at AS "secretExpiresAt"
       FROM (SELECT coalesce(?1, (SELECT token_hash FROM sessions WHERE hash = ?2 AND expires_at > ?3)) AS hash) AS presented
       LEFT JOIN secrets ON secrets.hash = presented.hash LEFT JOIN tokens ON tokens.id = secrets.token`,
    )
    .bind(secret, session, now);
}

/** @param result of `findCaller` */
export function readCaller(result: D1Result | undefined): FoundCaller {
  const [row] = (result?.results ?? []) as (Row<TokenRecord> & { id: string | null; hash: string | null })[];
  if (row === undefined || row.hash === null) return { hash: null, token: null };
  return { hash: row.hash, token: row.id === null ? null : readToken(row) };
}

/** Those of these tokens that exist. */
export function findTokensByHash(db: D1Database, hashes: readonly string[]): D1PreparedStatement {
  return db.prepare(`${SELECT} WHERE hash IN (SELECT value FROM json_each(?))`).bind(JSON.stringify(hashes));
}

/** @param result of `findTokensByHash` @returns the tokens by their hashes */
export function readTokens(result: D1Result | undefined): Map<string, TokenRecord> {
  const rows = (result?.results ?? []) as Row<TokenRecord>[];
  return new Map(rows.map((row) => [row.hash, readToken(row)]));
}

export async function findToken(db: D1Database, id: string): Promise<ListedToken | null> {
  const row = await db.prepare(`SELECT ${COLUMNS} FROM tokens WHERE id = ?`).bind(id).first<Row<ListedToken>>();
  return row === null ? null : readToken(row);
}

export async function listTokens(db: D1Database, after: string, limit: number): Promise<ListedToken[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM tokens WHERE id > ? ORDER BY id LIMIT ?`)
    .bind(after, limit)
    .all<Row<ListedToken>>();
  return results.map(readToken);
}

/** Stores a token with its first secret. */
export function insertToken(
  db: D1Database,
  id: string,
  hash: string,
  token: NewToken,
  now: number,
): D1PreparedStatement[] {
  const expiresAt = token.expires_at === null ? null : Date.parse(token.expires_at);
  return [
    db
      .prepare(
        'INSERT INTO tokens (id, name, scopes, jobs, machines, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
      )
      .bind(id, token.name, JSON.stringify(token.scopes), token.jobs, token.machines, now, expiresAt),
    db.prepare('INSERT INTO secrets (hash, token) VALUES (?, ?)').bind(hash, id),
  ];
}

/** Gives a token a new secret. Its old ones end at `oldEndsAt`, or earlier if they were to end earlier. */
export function rotateSecret(db: D1Database, id: string, hash: string, oldEndsAt: number): D1PreparedStatement[] {
  return [
    db
      .prepare('UPDATE secrets SET expires_at = min(coalesce(expires_at, ?2), ?2) WHERE token = ?1')
      .bind(id, oldEndsAt),
    db
      .prepare('INSERT INTO secrets (hash, token) SELECT ?2, ?1 WHERE EXISTS (SELECT 1 FROM tokens WHERE id = ?1)')
      .bind(id, hash),
  ];
}

export function deleteToken(db: D1Database, id: string): D1PreparedStatement[] {
  return [
    db.prepare('DELETE FROM secrets WHERE token = ?').bind(id),
    db.prepare('DELETE FROM tokens WHERE id = ?').bind(id),
  ];
}

/** Records that a token was used, unless a use after `before` is recorded. */
export function updateLastUse(db: D1Database, id: string, now: number, before: number): D1PreparedStatement {
  return db
    .prepare('UPDATE tokens SET last_used_at = ?2 WHERE id = ?1 AND coalesce(last_used_at, 0) <= ?3')
    .bind(id, now, before);
}

/** Removes secrets that were replaced and ended before a time: they are unknown from then on. */
export function purgeSecrets(db: D1Database, before: number, limit: number): D1PreparedStatement {
  return db
    .prepare('DELETE FROM secrets WHERE hash IN (SELECT hash FROM secrets WHERE expires_at < ? LIMIT ?)')
    .bind(before, limit);
}

function readToken<Found extends { scopes: string }>(row: Found): Omit<Found, 'scopes'> & { scopes: Scope[] } {
  return { ...row, scopes: v.parse(Scopes, JSON.parse(row.scopes)) };
}

/** The token as the API shows it: without secrets. */
export function tokenResource(token: ListedToken): Token {
  return {
    id: token.id,
    name: token.name,
    scopes: [...token.scopes],
    jobs: token.jobs,
    machines: token.machines,
    created_at: new Date(token.createdAt).toISOString(),
    expires_at: timeOrNull(token.expiresAt),
    last_used_at: timeOrNull(token.lastUsedAt),
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
