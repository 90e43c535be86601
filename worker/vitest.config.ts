import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { unstable_splitSqlQuery as splitStatements } from 'wrangler';

const inRepo = (path: string) => join(import.meta.dirname, '..', path);

export const ADMIN_TOKEN = 'the-admin-token-of-the-tests';

// Read by wrangler, which would warn of a missing secret.
process.env.LEASH_ADMIN_TOKEN = ADMIN_TOKEN;

/** The runtime has no environment: what is set of these goes to the tests as bindings. */
const passedOn = Object.fromEntries(
  ['LEASH_TEST_SEED', 'LEASH_TEST_RUNS'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  }),
);

export default defineConfig(async () => ({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: inRepo('wrangler.toml') },
      miniflare: {
        bindings: {
          LEASH_ADMIN_TOKEN: ADMIN_TOKEN,
          TEST_MIGRATIONS: await readD1Migrations(inRepo('migrations')),
          TEST_SCHEMA: splitStatements(readFileSync(inRepo('schema.sql'), 'utf8')),
          ...passedOn,
        },
      },
    }),
  ],
  test: {
    name: 'worker',
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    // A runtime takes longer to start than most files take: they share it, and test/support/setup.ts parts them.
    isolate: false,
    // Limits on hangs: on a busy machine some take longer than vitest's five seconds.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 6,
  },
}));
