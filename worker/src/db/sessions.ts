/** Signed-in pages. */

export function insertSession(db: D1Database, hash: string, tokenHash: string, expiresAt: number): D1PreparedStatement {
  return db
    .prepare('INSERT INTO sessions (hash, token_hash, expires_at) VALUES (?, ?, ?)')
    .bind(hash, tokenHash, expiresAt);
}

/** The hash of the token that a session was opened with; null when there is no such session, or no longer. */
export async function findSession(db: D1Database, hash: string, now: number): Promise<string | null> {
  const row = await db
    .prepare('SELECT token_hash AS "tokenHash" FROM sessions WHERE hash = ? AND expires_at > ?')
    .bind(hash, now)
    .first<{ tokenHash: string }>();
  return row?.tokenHash ?? null;
}

export function deleteSession(db: D1Database, hash: string): D1PreparedStatement {
  return db.prepare('DELETE FROM sessions WHERE hash = ?').bind(hash);
}

export function forgetSessions(db: D1Database, now: number): D1PreparedStatement {
  return db.prepare('DELETE FROM sessions WHERE expires_at <= ?').bind(now);
}
