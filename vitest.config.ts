import './testing/fresh-seed.ts';
import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { SEED } from './testing/seed.ts';
import { NODE_18 } from './wrapper/vitest.node18.config.ts';

// There is none for some platforms.
const hasNode18 = existsSync(NODE_18);
if (!hasNode18) console.warn('The wrapper is not tested on Node 18: its binary is not installed (see wrapper/node18).');

export default defineConfig({
  test: {
    projects: [
      'protocol',
      'worker',
      'wrapper',
      'wrapper/vitest.storms.config.ts',
      ...(hasNode18 ? ['wrapper/vitest.node18.config.ts'] : []),
      'dashboard',
      'test',
    ],
    // Another order in each run: what a file leaves behind must not matter to the next.
    sequence: { shuffle: { files: true }, seed: SEED },
    // What the code under test logs is shown for the tests that fail.
    silent: 'passed-only',
    reporters: ['default', './testing/summary-reporter.ts'],
  },
});
