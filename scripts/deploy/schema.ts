/**
 * Brings the database's schema up to date. A new database gets schema.sql, an older one the migrations that it lacks; both are
 * noted in the table that `wrangler d1 migrations apply` uses, so that either can continue what the other began.
 */
import { CREATE_RECORD } from '../local/migrations.ts';
import type { CloudflareApi } from './cloudflare-api.ts';
import { runStatements, type Statement } from './database.ts';
import { DeployError } from './deploy-error.ts';

/** What the build has made of migrations/ and schema.sql. */
export interface Schema {
  readonly migrations: readonly { readonly name: string; readonly statements: readonly string[] }[];
  readonly schema: readonly string[];
}

/** What a database has. */
export interface SchemaState {
  readonly tables: readonly string[];
  /** The names of migrations, in the order in which they were applied. */
  readonly applied: readonly string[];
}

/** What a database lacks. Each part is applied as a whole, or not at all. */
export interface SchemaUpdate {
  readonly parts: readonly SchemaPart[];
  /** Migrations that this version doesn't know: a newer one has applied them. */
  readonly newer: readonly string[];
}

interface SchemaPart {
  readonly what: string;
  readonly statements: readonly string[];
  /** The migrations that it stands for. */
  readonly migrations: readonly string[];
}

interface Target {
  readonly accountId: string;
  readonly databaseId: string;
}

export const EMPTY_DATABASE: SchemaState = { tables: [], applied: [] };

export async function readSchemaState(api: CloudflareApi, target: Target): Promise<SchemaState> {
  const what = 'read the schema of the database';
  const listTables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
  const [found = []] = await runStatements(api, target, [{ sql: listTables }], what);
  const names = found.map(({ name }) => String(name));
  const tables = names.filter((name) => name !== 'd1_migrations' && !/^(?:_cf_|sqlite_)/i.test(name));
  if (!names.includes('d1_migrations')) return { tables, applied: [] };
  const listMigrations = 'SELECT name FROM d1_migrations ORDER BY id';
  const [rows = []] = await runStatements(api, target, [{ sql: listMigrations }], what);
  return { tables, applied: rows.map(({ name }) => String(name)) };
}

/** @throws DeployError when the database belongs to another program */
export function planSchema(
  { migrations, schema }: Schema,
  { tables, applied }: SchemaState,
  database: string,
): SchemaUpdate {
  const names = migrations.map(({ name }) => name);
  if (!names.some((name) => applied.includes(name))) {
    // Some of the tables may be there: of a deployment that was interrupted.
    const foreign = [...tables.filter((table) => !tablesOf(schema).has(table)), ...applied];
    if (foreign.length > 0) {
      throw new DeployError(
        `The D1 database ${database} belongs to another program: it has ${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}. Deploy under another name: npm run deploy -- --name NAME`,
      );
    }
    return { parts: [{ what: 'the whole schema', statements: schema, migrations: names }], newer: [] };
  }
  const missing = migrations.filter(({ name }) => !applied.includes(name));
  return {
    parts: missing.map(({ name, statements }) => ({ what: name, statements, migrations: [name] })),
    newer: applied.filter((name) => !names.includes(name)),
  };
}

export async function updateSchema(api: CloudflareApi, target: Target, update: SchemaUpdate): Promise<void> {
  for (const { what, statements, migrations } of update.parts) {
    const note = (name: string): Statement => ({
      // Another deployment may have noted it meanwhile. Each statement may be repeated.
      sql: 'INSERT OR IGNORE INTO d1_migrations (name) VALUES (?)',
      params: [name],
    });
    const batch = [{ sql: CREATE_RECORD }, ...statements.map((sql) => ({ sql })), ...migrations.map(note)];
    await runStatements(api, target, batch, `apply ${what}`);
  }
}

function tablesOf(schema: readonly string[]): Set<string> {
  return new Set(schema.flatMap((sql) => /CREATE TABLE (?:IF NOT EXISTS )?(\w+)/.exec(sql)?.[1] ?? []));
}
