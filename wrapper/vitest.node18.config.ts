/**
 * The whole program as it is shipped, on the oldest Node that it must run on: in `npm test` a sample, in the proof the tests
 * whose subject Node has a part in.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

const inRepo = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Read by test/support/leash.ts. */
export const NODE_18 = inRepo('wrapper/node18/node_modules/.bin/node');

const WHOLE = [
  'adoption',
  'ask',
  'exact-start',
  'exit',
  'exit-faults',
  'kill',
  'manners',
  'orphans',
  'own-log',
  'secrets',
  'settings',
].map((name) => `test/processes/${name}.test.ts`);

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    ...projectOptions('wrapper-node18', 2),
    include: process.env.LEASH_TEST_PROOF === '1' ? WHOLE : ['test/oldest-node/sample.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    globalSetup: 'test/support/build-program.ts',
    env: { LEASH_TEST_NODE: NODE_18 },
  },
});
