import { reset } from 'cloudflare:test';
import { afterAll, vi } from 'vitest';
import { holdTime } from './clock.ts';
import { env } from './env.ts';
import { holdLogs } from './logs.ts';

holdLogs();
await holdTime();
// The files share a runtime, which takes longer to start than most of them take: each begins with nothing stored.
await reset();
// The schema, which schema.test.ts compares with what the migrations lead to: in one go it costs a tenth of them.
await env.DB.batch(env.TEST_SCHEMA.map((statement) => env.DB.prepare(statement)));
// Nor with what another has mocked.
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});
