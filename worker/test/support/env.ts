import type { D1Migration } from 'cloudflare:test';
import { env as bindings } from 'cloudflare:workers';
import type { AlertsObject } from '../../durable/alerts/alerts-object.ts';
import type { JobObject } from '../../durable/job/job-object.ts';
import type { Env } from '../../shared/env.ts';

interface TestEnv extends Env {
  /** The class itself: tests look into it. */
  readonly JOBS: DurableObjectNamespace<JobObject>;
  readonly ALERTS: DurableObjectNamespace<AlertsObject>;
  readonly TEST_BUCKET: R2Bucket;
  /** Connects to public addresses only. */
  readonly TEST_PUBLIC_NETWORK: Fetcher;
  readonly TEST_MIGRATIONS: D1Migration[];
  /** The statements of schema.sql. */
  readonly TEST_SCHEMA: string[];
}

export const env = bindings as unknown as TestEnv;
