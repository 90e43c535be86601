import type { D1Migration } from 'cloudflare:test';
import { env as bindings } from 'cloudflare:workers';
import type { Env } from '../../env.ts';

interface TestEnv extends Env {
  readonly TEST_MIGRATIONS: D1Migration[];
  /** The statements of schema.sql. */
  readonly TEST_SCHEMA: string[];
  /** For the model-based test: which sequences, and how many. */
  readonly LEASH_TEST_SEED?: string;
  readonly LEASH_TEST_RUNS?: string;
}

export const env = bindings as unknown as TestEnv;
