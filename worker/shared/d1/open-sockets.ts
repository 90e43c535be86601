/**
 * Which objects hold sockets that were opened with a token, so that what ends with the token, its secret or a session can
 * be closed.
 *
 * An object registers when it accepts the first socket of a credential, and in the same transaction asks which of its
 * credentials still stand. Whoever ends one marks the registered objects as stale in the same transaction, and calls them.
 * So a connect that races a revocation has one outcome: either the object is registered before, and is called, or it asks
 * after, and is told.
 */
import { ADMIN_TOKEN_ID } from '../credential.ts';

/** The fleet's object among the jobs', which all have names. */
export const FLEET = '';

/** When each secret of a token, and each session, ends, by their hashes; null: no end is known. What is not there has ended. */
export interface ValidCredentials {
  readonly secrets: ReadonlyMap<string, number | null>;
  readonly sessions: ReadonlyMap<string, number>;
}

/** What an object holds sockets of. */
export interface Registration {
  readonly token: string;
  readonly object: string;
  /** The empty one for those opened with the token itself. None: nothing is registered. */
  readonly sessions: readonly string[];
}

interface SecretRow {
  readonly token: string;
  readonly hash: string;
  readonly tokenEndsAt: number | null;
  readonly secretEndsAt: number | null;
}

interface SessionRow {
  readonly hash: string;
  readonly endsAt: number;
}

/** Registers objects, each in place of what it had registered before for the token, and tells each what stands. */
export async function registerSockets(
  db: D1Database,
  registrations: readonly Registration[],
): Promise<ValidCredentials[]> {
  const list = JSON.stringify(registrations);
  const tokens = "SELECT value ->> 'token' FROM json_each(?1)";
  const sessions = "SELECT session.value FROM json_each(?1) AS entry, json_each(entry.value -> 'sessions') AS session";
  const [, , secretRows, sessionRows] = await db.batch([
    db
      .prepare(
        `DELETE FROM open_sockets
         WHERE (token, object) IN (SELECT value ->> 'token', value ->> 'object' FROM json_each(?1))`,
      )
      .bind(list),
    db
      .prepare(
        `INSERT OR IGNORE INTO open_sockets (token, session, object, stale)
         SELECT entry.value ->> 'token', session.value, entry.value ->> 'object', 0
         FROM json_each(?1) AS entry, json_each(entry.value -> 'sessions') AS session
         WHERE (entry.value ->> 'token' = '${ADMIN_TOKEN_ID}' OR EXISTS (SELECT 1 FROM tokens WHERE id = entry.value ->> 'token'))
           AND (session.value = '' OR EXISTS (SELECT 1 FROM sessions WHERE hash = session.value))`,
      )
      .bind(list),
    db
      .prepare(
        `SELECT secrets.token, hash, tokens.expires_at AS "tokenEndsAt", secrets.expires_at AS "secretEndsAt"
         FROM secrets JOIN tokens ON tokens.id = secrets.token WHERE secrets.token IN (${tokens})`,
      )
      .bind(list),
    db.prepare(`SELECT hash, expires_at AS "endsAt" FROM sessions WHERE hash IN (${sessions})`).bind(list),
  ]);
  // As the statements select them.
  const secrets = (secretRows?.results ?? []) as SecretRow[];
  const sessionEnds = new Map(((sessionRows?.results ?? []) as SessionRow[]).map(({ hash, endsAt }) => [hash, endsAt]));
  const secretsOf = new Map<string, Map<string, number | null>>();
  for (const { token, hash, tokenEndsAt, secretEndsAt } of secrets) {
    const ofToken = secretsOf.get(token) ?? new Map();
    secretsOf.set(token, ofToken.set(hash, earlier(tokenEndsAt, secretEndsAt)));
  }
  return registrations.map((registration) => ({
    secrets: secretsOf.get(registration.token) ?? new Map(),
    sessions: new Map(
      registration.sessions.flatMap((session) => {
        const endsAt = sessionEnds.get(session);
        return endsAt === undefined ? [] : [[session, endsAt]];
      }),
    ),
  }));
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
