import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  test: {
    ...projectOptions('protocol', 1),
    // And of shared/ and bench/: projects of their own would cost more than their tests.
    include: ['test/**/*.test.ts', '../{shared,bench}/test/**/*.test.ts'],
  },
});
