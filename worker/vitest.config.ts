import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { unstable_splitSqlQuery as splitStatements } from 'wrangler';
import { projectOptions } from '#testing/project-options';

const inRepo = (path: string) => join(import.meta.dirname, '..', path);

export const ADMIN_TOKEN = 'the-admin-token-of-the-tests';

// Read by wrangler, which would warn of a missing secret.
process.env.LEASH_ADMIN_TOKEN = ADMIN_TOKEN;

/** The runtime has an environment of its own: this goes into it. */
const testSettings = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    name.startsWith('LEASH_TEST_') && value !== undefined ? [[name, value]] : [],
  ),
);

export default defineConfig(async () => ({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: inRepo('wrangler.toml') },
      miniflare: {
        // Bound to the Worker only where a test is about it: see useBucket().
        r2Buckets: ['TEST_BUCKET'],
        // Where alerts go out unless private addresses are allowed: see scripts/local/control-plane.ts.
        serviceBindings: { TEST_PUBLIC_NETWORK: { network: { allow: ['public'] } } },
        bindings: {
          LEASH_ADMIN_TOKEN: ADMIN_TOKEN,
          // Tests wait for D1, and their timers are held.
          INDEX_DELAY_MS: '0',
          TEST_MIGRATIONS: await readD1Migrations(inRepo('migrations')),
          TEST_SCHEMA: splitStatements(readFileSync(inRepo('schema.sql'), 'utf8')),
        },
      },
    }),
  ],
  test: {
    // One: each would start a runtime of its own, which costs more than most files do.
    ...projectOptions('worker', 1),
    env: testSettings,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/receiver-server.ts'],
    setupFiles: ['test/support/setup.ts'],
  },
}));
