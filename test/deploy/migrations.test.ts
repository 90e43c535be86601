/** D1's server splits what it is sent into statements, less carefully than SQLite does. The schema has to survive that. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ROOT } from '../../scripts/local/paths.ts';
import { splitNaively } from './naive-split.ts';

const MIGRATIONS = join(ROOT, 'migrations');
const migrations = readdirSync(MIGRATIONS)
  .toSorted()
  .map((name) => readFileSync(join(MIGRATIONS, name), 'utf8'));
const schema = readFileSync(join(ROOT, 'schema.sql'), 'utf8');

/** The schema, and the rows that are there from the beginning. */
function contentOf(database: DatabaseSync): unknown {
  return [
    database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all(),
    database.prepare('SELECT * FROM counters').all(),
  ];
}

function databaseWith(statements: readonly string[]): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  for (const statement of statements) database.exec(statement);
  return database;
}

test.each([
  ['each migration', migrations],
  ['schema.sql', [schema]],
])('%s is the same after a naive split', (_what, files) => {
  expect(contentOf(databaseWith(files.flatMap(splitNaively)))).toEqual(contentOf(databaseWith(files)));
});

test.each([
  ['the migrations', migrations.flatMap(splitNaively)],
  ['schema.sql', splitNaively(schema)],
])('%s can be applied again from the first statement, wherever they were interrupted', (_what, statements) => {
  const whole = contentOf(databaseWith(statements));
  for (const end of statements.keys()) {
    expect(contentOf(databaseWith([...statements.slice(0, end + 1), ...statements]))).toEqual(whole);
  }
});
