/**
 * Brings the local D1 database up to date: the files of migrations/ in order, each once, noted in the table that
 * `wrangler d1 migrations apply` uses, so that either can continue what the other began.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Miniflare } from 'miniflare';
import { unstable_splitSqlQuery as splitStatements } from 'wrangler';

type D1Database = Awaited<ReturnType<Miniflare['getD1Database']>>;

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/** Applies what is missing, and returns the names of what it applied. */
export async function applyMigrations(db: D1Database, directory: string): Promise<string[]> {
  const wanted = await migrationNames(directory);
  await db.prepare(CREATE_TABLE).run();
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const missing = wanted.filter((name) => !applied.has(name));
  for (const name of missing) {
    const sql = await readFile(join(directory, name), 'utf8');
    // One batch is one transaction: a migration is applied and noted, or neither.
    await db.batch([
      ...splitStatements(sql).map((statement) => db.prepare(statement)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ]);
  }
  return missing;
}

async function migrationNames(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql'));
  if (names.length === 0) throw new Error(`there is no migration in ${directory}`);
  return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || a.localeCompare(b));
}
