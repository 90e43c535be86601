import { reset } from 'cloudflare:test';
import { afterAll, vi } from 'vitest';
import { holdTime } from './clock.ts';
import { env } from './env.ts';
import { holdLogs } from './logs.ts';

const MOST_TRIES = 20;

/** As `wrangler d1 migrations apply` records them. */
const NOTED_MIGRATIONS = [
  'CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP)',
  ...env.TEST_MIGRATIONS.map(({ name }) => `INSERT INTO d1_migrations (name) VALUES ('${name}')`),
];

holdLogs();
await holdTime();
// The files share a runtime, which takes longer to start than most of them take: each begins with nothing stored.
await beginEmpty();
// Nor with what another has mocked.
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The schema, which schema.test.ts compares with the migrations' result: it takes a tenth of their time. */
async function beginEmpty(): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    await reset();
    try {
      await env.DB.batch([...env.TEST_SCHEMA, ...NOTED_MIGRATIONS].map((statement) => env.DB.prepare(statement)));
      return;
    } catch (error) {
      // On a busy machine a call of the file before may reach the old database after its reset, and keep it open.
      if (tries === MOST_TRIES || !String(error).includes('already exists')) throw error;
    }
  }
}
