/** Tokens, as hashes of their secrets. */
import * as v from 'valibot';
import { type NewToken, Scope, type Token } from '#protocol/api';

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly jobs: string;
  readonly machines: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

type Row = Omit<TokenRecord, 'scopes'> & { scopes: string };
const SELECT = `SELECT id, name, hash, scopes, jobs, machines, created_at AS "createdAt", expires_at AS "expiresAt" FROM tokens`;
const Scopes = v.array(Scope);

export async function findTokenByHash(db: D1Database, hash: string): Promise<TokenRecord | null> {
  return (await findTokensByHash(db, [hash])).get(hash) ?? null;
}

/** Those of these tokens that exist, by their hashes. */
export async function findTokensByHash(db: D1Database, hashes: readonly string[]): Promise<Map<string, TokenRecord>> {
  const { results } = await db
    .prepare(`${SELECT} WHERE hash IN (SELECT value FROM json_each(?))`)
    .bind(JSON.stringify(hashes))
    .all<Row>();
  return new Map(results.map((row) => [row.hash, readToken(row)]));
}

export async function listTokens(db: D1Database, after: string, limit: number): Promise<TokenRecord[]> {
  const { results } = await db.prepare(`${SELECT} WHERE id > ? ORDER BY id LIMIT ?`).bind(after, limit).all<Row>();
  return results.map(readToken);
}

export function insertToken(
  db: D1Database,
  id: string,
  hash: string,
  token: NewToken,
  now: number,
): D1PreparedStatement {
  const expiresAt = token.expires_at === null ? null : Date.parse(token.expires_at);
  return db
    .prepare(
      'INSERT INTO tokens (id, name, hash, scopes, jobs, machines, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    )
    .bind(id, token.name, hash, JSON.stringify(token.scopes), token.jobs, token.machines, now, expiresAt);
}

export function deleteToken(db: D1Database, id: string): D1PreparedStatement {
  return db.prepare('DELETE FROM tokens WHERE id = ?').bind(id);
}

function readToken(row: Row): TokenRecord {
  return { ...row, scopes: v.parse(Scopes, JSON.parse(row.scopes)) };
}

/** The token as the API shows it: without anything one could use. */
export function tokenResource(token: Omit<TokenRecord, 'hash'>): Token {
  return {
    id: token.id,
    name: token.name,
    scopes: [...token.scopes],
    jobs: token.jobs,
    machines: token.machines,
    created_at: new Date(token.createdAt).toISOString(),
    expires_at: token.expiresAt === null ? null : new Date(token.expiresAt).toISOString(),
  };
}
