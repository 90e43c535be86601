import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    name: 'wrapper',
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    testTimeout: 60_000,
  },
});
