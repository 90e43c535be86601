import type { D1Migration } from 'cloudflare:test';
import { env as bindings } from 'cloudflare:workers';
import type { JobObject } from '../../durable/job/job-object.ts';
import type { Env } from '../../shared/env.ts';

interface TestEnv extends Env {
  /** The class itself: tests look into it. */
  readonly JOBS: DurableObjectNamespace<JobObject>;
  readonly TEST_BUCKET: R2Bucket;
  readonly TEST_MIGRATIONS: D1Migration[];
  /** The statements of schema.sql. */
  readonly TEST_SCHEMA: string[];
}

export const env = bindings as unknown as TestEnv;
