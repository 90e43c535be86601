import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['protocol', 'worker', 'wrapper', 'dashboard', 'test'],
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
