/**
 * Brings the local D1 database up to date: the files of migrations/ in order, each once, noted in the table that
 * `wrangler d1 migrations apply` uses, so that either can continue what the other began.
 */
import type { Miniflare } from 'miniflare';
import type { Migration } from './deployment.ts';

type D1Database = Awaited<ReturnType<Miniflare['getD1Database']>>;

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)`;

/** Applies what is missing. */
export async function applyMigrations(db: D1Database, migrations: readonly Migration[]): Promise<void> {
  await db.prepare(CREATE_TABLE).run();
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const missing = migrations.filter(({ name }) => !applied.has(name));
  for (const { name, statements } of missing) {
    // One batch is one transaction: a migration is applied and noted, or neither.
    await db.batch([
      ...statements.map((statement) => db.prepare(statement)),
      db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    ]);
  }
}
