import { expect, test } from 'vitest';
import { env } from './support/env.ts';

/** What a database looks like, without the way it was written down. */
async function shape(): Promise<string[]> {
  const { results } = await env.DB.prepare(
    "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name != 'd1_migrations' ORDER BY name",
  ).all<{ name: string; sql: string }>();
  return results.map(({ sql }) =>
    sql
      .replaceAll(/--[^\n]*/g, '')
      .replaceAll(/\s+/g, ' ')
      .replaceAll(/ ?([(),]) ?/g, '$1'),
  );
}

/** Rows that are there from the beginning. */
async function counters() {
  return (await env.DB.prepare('SELECT * FROM counters').all()).results;
}

async function migrate(): Promise<void> {
  const queries = env.TEST_MIGRATIONS.flatMap((migration) => migration.queries);
  await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
}

async function dropAll(): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name != 'd1_migrations'",
  ).all<{ name: string }>();
  await env.DB.batch(results.map(({ name }) => env.DB.prepare(`DROP TABLE ${name}`)));
}

test('schema.sql equals the result of the migrations', async () => {
  await dropAll();
  await migrate();
  const migrated = await shape();
  const counted = await counters();
  await dropAll();
  await env.DB.batch(env.TEST_SCHEMA.map((statement) => env.DB.prepare(statement)));
  expect(await shape()).toEqual(migrated);
  expect(await counters()).toEqual(counted);
});
