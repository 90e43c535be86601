/**
 * Brings the local D1 database up to date: the files of migrations/ in order, each once, noted in the table that
 * `wrangler d1 migrations apply` uses, so that either can continue what the other began.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Miniflare } from 'miniflare';
import type { Migration } from './deployment.ts';
import { StartError } from './start-error.ts';

type D1Database = Awaited<ReturnType<Miniflare['getD1Database']>>;

/** The table of applied migrations, as wrangler creates it. */
export const CREATE_RECORD = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/**
 * Applies the migrations that are missing.
 *
 * @throws StartError when the database has a migration that isn't among them: another version of Leash made it
 */
export async function applyMigrations(db: D1Database, migrations: readonly Migration[]): Promise<void> {
  await db.prepare(CREATE_RECORD).run();
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const unknown = results.find((row) => !migrations.some(({ name }) => name === row.name));
  if (unknown !== undefined) {
    throw new StartError(
      `The state directory belongs to another version of Leash: its database has the migration ${unknown.name}. Use that version or another state directory, or delete this one.`,
    );
  }
  const missing = migrations.filter(({ name }) => !applied.has(name));
  for (const { name, statements } of missing) {
    // One batch is one transaction: a migration is applied and noted, or neither.
    await db.batch([
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ]);
  }
}

/** Beside the database: whoever removes that removes the note. */
const noteIn = (resources: string) => join(resources, 'schema.json');
const noteOf = (migrations: readonly Migration[]) => `${JSON.stringify(migrations.map(({ name }) => name))}\n`;

/** Whether the database was up to date when it was used last: to ask itself takes a runtime. */
export async function isSchemaNoted(resources: string, migrations: readonly Migration[]): Promise<boolean> {
  try {
    return (await readFile(noteIn(resources), 'utf8')) === noteOf(migrations);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Notes that the database has all of them. */
export async function noteSchema(resources: string, migrations: readonly Migration[]): Promise<void> {
  await writeFile(noteIn(resources), noteOf(migrations));
}
