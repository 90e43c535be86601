import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TEST_LIMIT_MS, WAIT_LIMIT_MS } from '#testing/patience';

// End to end: the real runtime, real wrappers, real processes, a real browser. Times are limits on hangs, not
// expectations: everything in here waits for what it needs.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    name: 'test',
    environment: './support/worker-end.ts',
    include: ['**/*.test.ts'],
    globalSetup: ['support/chromium.ts'],
    setupFiles: ['support/check-answers.ts'],
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    teardownTimeout: WAIT_LIMIT_MS,
    // A control plane and a browser take seconds of CPU to start. Each worker has one of each for all its files.
    isolate: false,
    maxWorkers: 2,
  },
});
