import { expect, test } from 'vitest';
import { env } from './support/env.ts';

/** What a database looks like, without the way it was written down. */
async function shape(): Promise<string[]> {
  const { results } = await env.DB.prepare(
    "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name != 'd1_migrations' ORDER BY name",
  ).all<{ name: string; sql: string }>();
  return results.map(({ sql }) => sql.replaceAll(/--[^\n]*/g, '').replaceAll(/\s+/g, ' '));
}

test('schema.sql says what the migrations lead to', async () => {
  const migrated = await shape();
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name != 'd1_migrations'",
  ).all<{ name: string }>();
  await env.DB.batch(tables.results.map(({ name }) => env.DB.prepare(`DROP TABLE ${name}`)));
  const statements = env.TEST_SCHEMA.replaceAll(/--[^\n]*/g, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
  await env.DB.batch(statements.map((statement) => env.DB.prepare(statement)));
  expect(await shape()).toEqual(migrated);
});
