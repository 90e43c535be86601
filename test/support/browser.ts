/** A real browser, headless, from packages alone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium as playwright } from 'playwright-core';
import { unpackChromium } from './chromium.ts';

export interface OpenBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

export async function openBrowser(): Promise<OpenBrowser> {
  const home = await mkdtemp(join(tmpdir(), 'leash-browser-'));
  const browser = await playwright.launch({
    executablePath: await unpackChromium(),
    // Not the arguments that come with the package: they run everything in one process, which crashes here, and switch
    // off the same-origin policy, which is what some of these tests are about. Root can't have a sandbox.
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
    headless: true,
    env: { ...process.env, HOME: home },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
