/**
 * The whole program as it is shipped, on the oldest Node that it must run on: in `npm test` a sample, in the proof the tests
 * whose subject Node has a part in.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TEST_LIMIT_MS } from '#testing/patience';

const inRepo = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Read by test/support/leash.ts. */
export const NODE_18 = inRepo('wrapper/node18/node_modules/.bin/node');

const WHOLE = ['exit', 'exit-faults', 'kill', 'manners', 'own-log', 'secrets', 'settings'].map(
  (name) => `test/processes/${name}.test.ts`,
);

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    name: 'wrapper-node18',
    include: process.env.LEASH_TEST_PROOF === '1' ? WHOLE : ['test/oldest-node/sample.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    // A process takes longer to start than many files take. What they must not share is parted in test/support/setup.ts.
    isolate: false,
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    // Most of them wait for other processes: there is room for more than the processors can run at once.
    maxWorkers: 6,
    globalSetup: 'test/support/build-program.ts',
    env: { LEASH_TEST_NODE: NODE_18 },
  },
});
