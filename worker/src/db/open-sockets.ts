/**
 * Which objects hold sockets that were opened with a token, so that what ends with the token, its secret or a session can
 * be closed.
 *
 * An object registers when it accepts the first socket of a credential, and in the same transaction asks which of its
 * credentials still stand. Whoever ends one marks the registered objects as stale in the same transaction, and calls them.
 * So a connect that races a revocation has one outcome: either the object is registered before, and is called, or it asks
 * after, and is told.
 */
import { ADMIN_TOKEN_ID } from '../../credential.ts';

/** The fleet's object among the jobs', which all have names. */
export const FLEET = '';

/** When each secret of a token and each session ends, by their hashes; null: not yet known. What is not there has ended. */
export interface Standing {
  readonly secrets: ReadonlyMap<string, number | null>;
  readonly sessions: ReadonlyMap<string, number>;
}

/**
 * Registers an object for a token, in place of what it had registered before, and asks what stands.
 *
 * @param sessions of the sockets; the empty one for those opened with the token itself. None: nothing is registered.
 */
export async function registerSockets(
  db: D1Database,
  token: string,
  object: string,
  sessions: readonly string[],
): Promise<Standing> {
  const list = JSON.stringify(sessions);
  const [, , secretRows, sessionRows] = await db.batch([
    db.prepare('DELETE FROM open_sockets WHERE token = ? AND object = ?').bind(token, object),
    db
      .prepare(
        `INSERT INTO open_sockets (token, session, object, stale) SELECT ?1, value, ?2, 0 FROM json_each(?3)
         WHERE (?1 = '${ADMIN_TOKEN_ID}' OR EXISTS (SELECT 1 FROM tokens WHERE id = ?1))
           AND (value = '' OR EXISTS (SELECT 1 FROM sessions WHERE hash = value))`,
      )
      .bind(token, object, list),
    db
      .prepare(
        `SELECT hash, tokens.expires_at AS "tokenEndsAt", secrets.expires_at AS "secretEndsAt"
         FROM secrets JOIN tokens ON tokens.id = secrets.token WHERE secrets.token = ?`,
      )
      .bind(token),
    db
      .prepare('SELECT hash, expires_at AS "endsAt" FROM sessions WHERE hash IN (SELECT value FROM json_each(?))')
      .bind(list),
  ]);
  const secrets = (secretRows?.results ?? []) as {
    hash: string;
    tokenEndsAt: number | null;
    secretEndsAt: number | null;
  }[];
  const sessionEnds = (sessionRows?.results ?? []) as { hash: string; endsAt: number }[];
  return {
    secrets: new Map(secrets.map(({ hash, tokenEndsAt, secretEndsAt }) => [hash, earlier(tokenEndsAt, secretEndsAt)])),
    sessions: new Map(sessionEnds.map(({ hash, endsAt }) => [hash, endsAt])),
  };
}

/** Marks the objects that have to look, because a token, a secret of it or a session ended. Gives back which. */
export function markStale(db: D1Database, token: string, session?: string): D1PreparedStatement {
  return session === undefined
    ? db.prepare('UPDATE open_sockets SET stale = 1 WHERE token = ? RETURNING object').bind(token)
    : db
        .prepare('UPDATE open_sockets SET stale = 1 WHERE token = ? AND session = ? RETURNING object')
        .bind(token, session);
}

/** An object that has to look after its sockets of a token. */
export interface StaleSockets {
  readonly token: string;
  readonly object: string;
}

/** Those that were not reached when something ended. */
export async function staleSockets(db: D1Database, limit: number): Promise<StaleSockets[]> {
  const { results } = await db
    .prepare('SELECT DISTINCT token, object FROM open_sockets WHERE stale = 1 LIMIT ?')
    .bind(limit)
    .all<StaleSockets>();
  return results.map(({ token, object }) => ({ token, object }));
}

/** The earlier of two times, of which null is none. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
