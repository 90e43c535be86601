/** The jobs that were ever seen. */

/** Notes that a job exists. For the job's object. */
export function mirrorJob(db: D1Database, name: string, now: number): D1PreparedStatement {
  return db
    .prepare('INSERT INTO jobs (name, first_seen_at, checked_at) VALUES (?1, ?2, ?2) ON CONFLICT DO NOTHING')
    .bind(name, now);
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

/** Jobs with runs that should be alive and whose objects nobody looked after since `before`; marks them as looked after. */
export async function takeUncheckedJobs(db: D1Database, before: number, now: number, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `UPDATE jobs SET checked_at = ?1 WHERE name IN (
         SELECT name FROM jobs WHERE checked_at < ?2
           AND EXISTS (SELECT 1 FROM runs WHERE runs.job = jobs.name AND runs.state IN ('running', 'killing'))
         ORDER BY checked_at LIMIT ?3)
       RETURNING name`,
    )
    .bind(now, before, limit)
    .all<{ name: string }>();
  return results.map(({ name }) => name);
}
