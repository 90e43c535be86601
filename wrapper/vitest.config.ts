import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  test: {
    ...projectOptions('wrapper', 2),
    include: ['test/{unit,processes}/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    setupFiles: ['test/support/setup.ts'],
  },
});
