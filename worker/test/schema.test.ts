import { expect, test } from 'vitest';
import type { AuditEntry, Token } from '#protocol/api';
import { sha256 } from '../hash.ts';
import { call } from './support/api.ts';
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

/** Runs what the migrations say, from one to another, on what is there. */
async function migrate(from: number, to: number): Promise<void> {
  const queries = env.TEST_MIGRATIONS.slice(from, to).flatMap((migration) => migration.queries);
  await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
}

async function dropAll(): Promise<void> {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name != 'd1_migrations'",
  ).all<{ name: string }>();
  await env.DB.batch(results.map(({ name }) => env.DB.prepare(`DROP TABLE ${name}`)));
}

test('schema.sql says what the migrations lead to', async () => {
  await dropAll();
  await migrate(0, env.TEST_MIGRATIONS.length);
  const migrated = await shape();
  const counted = await counters();
  await dropAll();
  await env.DB.batch(env.TEST_SCHEMA.map((statement) => env.DB.prepare(statement)));
  expect(await shape()).toEqual(migrated);
  expect(await counters()).toEqual(counted);
});

test('tokens and audit entries from before tokens could be rotated are kept', async () => {
  await dropAll();
  await migrate(0, 1);
  const secret = 'leash_from-before';
  const hash = sha256(secret);
  await env.DB.batch([
    env.DB.prepare(
      `INSERT INTO tokens (id, name, hash, scopes, jobs, machines, created_at)
       VALUES ('01M82PTB40WMEYKY30XERGEN0N', 'before', ?, '["admin"]', '*', '*', 1)`,
    ).bind(hash),
    env.DB.prepare(
      `INSERT INTO audit (id, at, actor, action, subject, detail, request_id)
       VALUES ('01M82PTB40WMEYKY30XERGEN0P', 5, '01M82PTB40WMEYKY30XERGEN0N', 'kill', 'backup', '{}', 'r')`,
    ),
  ]);

  await migrate(1, env.TEST_MIGRATIONS.length);

  const { tokens } = await (await call('GET', '/tokens', { token: secret })).json<{ tokens: Token[] }>();
  expect(tokens).toMatchObject([{ name: 'before', scopes: ['admin'] }]);
  const { audit } = await (await call('GET', '/audit', { token: secret })).json<{ audit: AuditEntry[] }>();
  expect(audit).toMatchObject([
    { actor: { name: 'before' }, action: 'kill', at: '1970-01-01T00:00:00.005Z', count: 1 },
  ]);
});

test('runs from before they were named by their job as well are kept, and their ends are not counted again', async () => {
  await dropAll();
  await migrate(0, 5);
  const resource = JSON.stringify({ final: true, ended_at: '2026-01-01T00:00:01Z' });
  await env.DB.prepare(
    `INSERT INTO runs (id, job, machine, state, started_at, seq, resource) VALUES ('a', 'backup', 'web1', 'failed', 1, 7, ?)`,
  )
    .bind(resource)
    .run();
  const counted = await counters();

  await migrate(5, env.TEST_MIGRATIONS.length);

  const { results } = await env.DB.prepare(
    'SELECT id, job, machine, state, started_at, seq, resource, final FROM runs',
  ).all();
  expect(results).toEqual([
    { id: 'a', job: 'backup', machine: 'web1', state: 'failed', started_at: 1, seq: 7, resource, final: 1 },
  ]);
  expect((await counters()).filter(({ name }) => name === 'runs_ended')).toEqual(
    counted.filter(({ name }) => name === 'runs_ended'),
  );
});
