/** Whether the database has the schema that this Worker was written for. */

/** The last of migrations/. They are applied in order, each whole: who has this one has them all. */
export const LAST_MIGRATION = '0001_schema.sql';

/** Whether it is applied. Throws what D1 throws when it does not answer. */
export async function hasSchema(db: D1Database): Promise<boolean> {
  try {
    const applied = db.prepare('SELECT 1 FROM d1_migrations WHERE name = ?').bind(LAST_MIGRATION);
    return (await applied.first()) !== null;
  } catch (error) {
    if (isSchemaError(error)) return false;
    throw error;
  }
}

/** Whether D1 says that it lacks something a statement names. */
export function isSchemaError(error: unknown): boolean {
  return error instanceof Error && /^D1_ERROR: (no such (table|column)|table \S+ has no column)/.test(error.message);
}
