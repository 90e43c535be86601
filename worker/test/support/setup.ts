import { applyD1Migrations } from 'cloudflare:test';
import { env } from './env.ts';
import { holdLogs } from './logs.ts';

holdLogs();
await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
