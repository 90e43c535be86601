import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  test: {
    // Most of them wait for other processes: there is room for one more than there are processors, at the least.
    ...projectOptions('wrapper', 3),
    include: ['test/{unit,processes}/**/*.test.ts'],
    globalSetup: 'test/support/build-program.ts',
    setupFiles: ['test/support/setup.ts'],
  },
});
