import { defineConfig } from 'vitest/config';
import { TEST_LIMIT_MS } from '#testing/patience';

export default defineConfig({
  test: {
    name: 'protocol',
    environment: 'node',
    include: ['test/**/*.test.ts'],
    // A process takes longer to start than most files take.
    isolate: false,
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    // As the wrapper's, beside which they run: left to itself vitest would run them last, one by one.
    maxWorkers: 6,
  },
});
