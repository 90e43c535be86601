/** `/healthz` before the schema, during the migrations, and after. */
import { expect, test } from 'vitest';
import { LAST_MIGRATION } from '../shared/d1/schema-version.ts';
import { app } from '../src/http/app.ts';
import { call } from './support/api.ts';
import { env } from './support/env.ts';

/** The same database as a binding of its own: other files have asked for health by the usual one. */
const DB = new Proxy(env.DB, {
  get: (db, name) => {
    const value: unknown = Reflect.get(db, name);
    return typeof value === 'function' ? value.bind(db) : value;
  },
});

async function health(): Promise<{ status: number; code?: string; detail?: string }> {
  const response = await app.request('/healthz', {}, { ...env, DB });
  return { ...(await response.json<{ code?: string; detail?: string }>()), status: response.status };
}

test('the last migration is the one that the Worker checks for', () => {
  expect(env.TEST_MIGRATIONS.at(-1)?.name).toBe(LAST_MIGRATION);
});

test('the status is 503, with what to do, until the schema is complete; then D1 is not asked again', async () => {
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

test('the error of a database without tables says what to do', async () => {
  await env.DB.prepare('ALTER TABLE tokens RENAME TO elsewhere').run();
  const response = await call('GET', '/tokens');
  await env.DB.prepare('ALTER TABLE elsewhere RENAME TO tokens').run();
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { code: 'unavailable', detail: expect.stringContaining('npm run deploy') },
  ]);
});
