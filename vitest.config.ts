import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['protocol', 'worker', 'wrapper', 'dashboard', 'test'],
    // What the code under test logs is shown for the tests that fail.
    silent: 'passed-only',
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
