import type { D1Migration } from 'cloudflare:test';
import { env as bindings } from 'cloudflare:workers';
import type { Env } from '../../shared/env.ts';

interface TestEnv extends Env {
  readonly TEST_MIGRATIONS: D1Migration[];
  /** The statements of schema.sql. */
  readonly TEST_SCHEMA: string[];
}

export const env = bindings as unknown as TestEnv;
