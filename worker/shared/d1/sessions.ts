/** Sessions of dashboards. */

export function insertSession(db: D1Database, hash: string, tokenHash: string, expiresAt: number): D1PreparedStatement {
  return db
    .prepare('INSERT INTO sessions (hash, token_hash, expires_at) VALUES (?, ?, ?)')
    .bind(hash, tokenHash, expiresAt);
}

/** The hashes of the tokens of these sessions, without those that have ended. */
export async function findSessions(
  db: D1Database,
  hashes: readonly string[],
  now: number,
): Promise<Map<string, string>> {
  const { results } = await db
    .prepare(
      `SELECT hash, token_hash AS "tokenHash" FROM sessions
       WHERE hash IN (SELECT value FROM json_each(?)) AND expires_at > ?`,
    )
    .bind(JSON.stringify(hashes), now)
    .all<{ hash: string; tokenHash: string }>();
  return new Map(results.map(({ hash, tokenHash }) => [hash, tokenHash]));
}

export function deleteSession(db: D1Database, hash: string): D1PreparedStatement {
  return db.prepare('DELETE FROM sessions WHERE hash = ?').bind(hash);
}

export function purgeSessions(db: D1Database, now: number, limit: number): D1PreparedStatement {
  return db
    .prepare(
      'DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)',
    )
    .bind(now, limit);
}
