/** `/healthz` before the schema, during the migrations, and after. */
import { expect, test } from 'vitest';
import { LAST_MIGRATION } from '../src/db/schema-version.ts';
import { call, request } from './support/api.ts';
import { env } from './support/env.ts';

async function health(): Promise<{ status: number; code?: string; detail?: string }> {
  const response = await request('/healthz');
  return { ...(await response.json<{ code?: string; detail?: string }>()), status: response.status };
}

test('the last migration is the one that the Worker asks for', () => {
  expect(env.TEST_MIGRATIONS.at(-1)?.name).toBe(LAST_MIGRATION);
});

test('it is 503, with what to do, until all of the schema is there; then it asks no more', async () => {
  const missing = { status: 503, code: 'unavailable', detail: expect.stringContaining('npm run deploy') };
  await env.DB.prepare('DELETE FROM d1_migrations WHERE name = ?').bind(LAST_MIGRATION).run();
  expect(await health()).toMatchObject(missing);
  await env.DB.prepare('ALTER TABLE d1_migrations RENAME TO elsewhere').run();
  expect(await health()).toMatchObject(missing);
  await env.DB.prepare('ALTER TABLE elsewhere RENAME TO d1_migrations').run();
  await env.DB.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(LAST_MIGRATION).run();
  expect(await health()).toMatchObject({ status: 200 });

  await env.DB.prepare('DELETE FROM d1_migrations').run();
  expect(await health()).toMatchObject({ status: 200 });
});

test('a call that meets a database without its tables is told what to do', async () => {
  await env.DB.prepare('ALTER TABLE tokens RENAME TO elsewhere').run();
  const response = await call('GET', '/tokens');
  await env.DB.prepare('ALTER TABLE elsewhere RENAME TO tokens').run();
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { code: 'unavailable', detail: expect.stringContaining('npm run deploy') },
  ]);
});
