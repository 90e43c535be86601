/** Whether the database has this version's schema. */
import { d1Failure } from './failure.ts';

/** The last of migrations/. They are applied in order, so a database with this one has them all. */
export const LAST_MIGRATION = '0002_brakes_and_expectations.sql';

/** @throws D1's error if it is unavailable */
export async function hasSchema(db: D1Database): Promise<boolean> {
  try {
    const applied = db.prepare('SELECT 1 FROM d1_migrations WHERE name = ?').bind(LAST_MIGRATION);
    return (await applied.first()) !== null;
  } catch (error) {
    if (d1Failure(error) === 'schema') return false;
    throw error;
  }
}
