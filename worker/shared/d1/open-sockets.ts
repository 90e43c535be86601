/**
 * Which objects have sockets that were opened with a token, so that they can be closed when the token, its secret or a session
 * ends.
 *
 * An object registers when it accepts the first socket of a credential, and in the same transaction asks which of its
 * credentials are valid. A call that ends a credential marks the registered objects as stale in the same transaction, and
 * calls them. So there is no race between connecting and revoking: either the object is registered before, and is called, or
 * it asks after, and learns of the end.
 */
import { ADMIN_TOKEN_ID } from '../credential.ts';

/** The fleet's object; a job's has the job's name. */
export const FLEET = '';

/** The ends of a token's secrets and sessions, by hash; null: none is set. What is missing has ended. */
export interface ValidCredentials {
  readonly secrets: ReadonlyMap<string, number | null>;
  readonly sessions: ReadonlyMap<string, number>;
}

/** The credentials of an object's sockets. */
export interface Registration {
  readonly token: string;
  readonly object: string;
  /** `''` for sockets opened with the token itself. */
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

/** Registers objects, each in place of its earlier registration for the token. @returns the valid credentials of each */
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

/** Marks the objects with sockets of a token, or of one of its sessions, as stale. Returns their names. */
export function markStale(db: D1Database, token: string, session?: string): D1PreparedStatement {
  return session === undefined
    ? db.prepare('UPDATE open_sockets SET stale = 1 WHERE token = ? RETURNING object').bind(token)
    : db
        .prepare('UPDATE open_sockets SET stale = 1 WHERE token = ? AND session = ? RETURNING object')
        .bind(token, session);
}

/** An object that has to check its sockets of a token. */
export interface StaleSockets {
  readonly token: string;
  readonly object: string;
}

/** Objects that could not be reached when a credential ended. */
export async function staleSockets(db: D1Database, limit: number): Promise<StaleSockets[]> {
  const { results } = await db
    .prepare('SELECT DISTINCT token, object FROM open_sockets WHERE stale = 1 LIMIT ?')
    .bind(limit)
    .all<StaleSockets>();
  return results.map(({ token, object }) => ({ token, object }));
}

/** The earlier of two times; null means never. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : Math.min(a, b);
}
