import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { xtermUnderCsp } from './xterm-under-csp.ts';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [xtermUnderCsp()],
  build: {
    outDir: fileURLToPath(new URL('../dist/page', import.meta.url)),
    emptyOutDir: true,
    target: 'es2024',
    // The page's policy allows no data: URLs but images, and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // A slow machine is nothing to be warned of.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
