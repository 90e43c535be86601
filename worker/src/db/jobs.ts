/** The jobs that were ever seen. */

/** Notes that jobs exist. For their objects. */
export function mirrorJobs(db: D1Database, names: readonly string[], now: number): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO jobs (name, first_seen_at, checked_at) SELECT value, ?2, ?2 FROM json_each(?1) WHERE true
       ON CONFLICT DO NOTHING`,
    )
    .bind(JSON.stringify(names), now);
}

export interface JobRow {
  readonly name: string;
  readonly firstSeenAt: number;
}

/** Jobs that match the glob, in the order of their names, after `after`. */
export async function listJobs(db: D1Database, glob: string, after: string, limit: number): Promise<JobRow[]> {
  const { results } = await db
    .prepare(
      'SELECT name, first_seen_at AS "firstSeenAt" FROM jobs WHERE name GLOB ? AND name > ? ORDER BY name LIMIT ?',
    )
    .bind(glob, after, limit)
    .all<{ name: string; firstSeenAt: number }>();
  return results;
}

export async function findJob(db: D1Database, name: string): Promise<JobRow | null> {
  return db
    .prepare('SELECT name, first_seen_at AS "firstSeenAt" FROM jobs WHERE name = ?')
    .bind(name)
    .first<{ name: string; firstSeenAt: number }>();
}

/** Jobs with runs that should be alive and whose objects nobody looked after since `before`, longest waiting first. */
export async function uncheckedJobs(db: D1Database, before: number, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT name FROM jobs WHERE checked_at < ?
         AND EXISTS (SELECT 1 FROM runs WHERE runs.job = jobs.name AND runs.state IN ('running', 'killing'))
       ORDER BY checked_at LIMIT ?`,
    )
    .bind(before, limit)
    .all<{ name: string }>();
  return results.map(({ name }) => name);
}

/** Notes when jobs were last looked after. */
export function markChecked(db: D1Database, names: readonly string[], checkedAt: number): D1PreparedStatement {
  return db
    .prepare('UPDATE jobs SET checked_at = ? WHERE name IN (SELECT value FROM json_each(?))')
    .bind(checkedAt, JSON.stringify(names));
}
