import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { keepToCsp } from '../xterm-under-csp.ts';

const path = createRequire(import.meta.url)
  .resolve('@xterm/xterm')
  .replace(/xterm\.js$/, 'xterm.mjs');

test('the terminal that is installed makes no style elements and sets no style attributes once it is built', async () => {
  const kept = keepToCsp(await readFile(path, 'utf8'));
  expect(kept).not.toMatch(/createElement\(["']style["']\)|setAttribute\(["']style["']/);
  expect(kept.match(/adopted-style/g)).toHaveLength(3);
});

test('one that does so in other places is refused', () => {
  expect(() => keepToCsp('document.createElement("style")')).toThrow('xterm.js has 1 elements');
});
