/** What would slow down every other test: after all of them, one at a time. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    name: 'wrapper-storms',
    include: ['test/storms/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 30_000,
    sequence: { groupOrder: 2 },
    maxWorkers: 1,
  },
});
