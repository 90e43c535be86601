/** What would slow down every other test: after all of them, one at a time. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    ...projectOptions('wrapper-storms', 1),
    include: ['test/storms/**/*.test.ts'],
    setupFiles: ['test/support/setup.ts'],
  },
});
