import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  test: {
    ...projectOptions('protocol', 1),
    // And of shared/: a project of its own would cost more than its tests.
    include: ['test/**/*.test.ts', '../shared/test/**/*.test.ts'],
  },
});
