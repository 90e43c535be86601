import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    ...projectOptions('dashboard', 2),
    include: ['test/**/*.test.ts'],
  },
});
