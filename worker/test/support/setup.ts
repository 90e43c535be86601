import { applyD1Migrations, reset } from 'cloudflare:test';
import { afterAll, vi } from 'vitest';
import { holdTime } from './clock.ts';
import { env } from './env.ts';
import { holdLogs } from './logs.ts';

holdLogs();
await holdTime();
// The files share a runtime, which takes longer to start than most of them take: each begins with nothing stored.
await reset();
await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
// Nor with what another has mocked.
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});
