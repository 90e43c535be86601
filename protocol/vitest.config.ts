import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  test: {
    ...projectOptions('protocol', 1),
    include: ['test/**/*.test.ts'],
  },
});
