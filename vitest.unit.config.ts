/**
 * `npm run test:unit` and `npm run test:watch`: the projects whose tests need no build. Apart from the whole suite's,
 * because a project costs seconds by being read, even if no test of it is wanted.
 */
import './testing/fresh-seed.ts';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['protocol', 'dashboard', 'wrapper'],
    // What the code under test logs is shown for the tests that fail.
    silent: 'passed-only',
    reporters: ['default', './testing/summary-reporter.ts'],
  },
});
