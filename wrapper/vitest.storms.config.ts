/** What would slow down every other test: after all of them, one at a time. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TEST_LIMIT_MS } from '#testing/patience';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    name: 'wrapper-storms',
    include: ['test/storms/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    sequence: { groupOrder: 2 },
    maxWorkers: 1,
  },
});
