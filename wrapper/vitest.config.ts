import { defineConfig } from 'vitest/config';
import { TEST_LIMIT_MS } from '#testing/patience';

export default defineConfig({
  test: {
    name: 'wrapper',
    include: ['test/{unit,processes}/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    setupFiles: ['test/support/setup.ts'],
    // A process takes longer to start than many files take. What they must not share is parted in test/support/setup.ts.
    isolate: false,
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    // Most of them wait for other processes: there is room for more than the processors can run at once.
    maxWorkers: 6,
  },
});
