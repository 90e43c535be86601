import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { projectOptions } from '#testing/project-options';

// End to end: the real runtime, real wrappers, real processes, a real browser.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    // Each has a control plane and a browser for all of its files.
    ...projectOptions('test', 2),
    environment: './support/worker-end.ts',
    include: ['**/*.test.ts'],
    globalSetup: ['support/chromium.ts'],
    setupFiles: ['support/check-answers.ts'],
  },
});
