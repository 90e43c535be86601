import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'wrapper',
    include: ['test/{unit,processes}/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    testTimeout: 60_000,
    hookTimeout: 30_000,
    // Most of them wait for other processes: there is room for more than the processors can run at once.
    maxWorkers: 6,
  },
});
