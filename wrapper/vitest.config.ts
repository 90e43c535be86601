import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'wrapper',
    include: ['test/{unit,processes}/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    setupFiles: ['test/support/setup.ts'],
    // A process takes longer to start than many files take. What they must not share is parted in test/support/setup.ts.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 30_000,
    // Most of them wait for other processes: there is room for more than the processors can run at once.
    maxWorkers: 6,
  },
});
