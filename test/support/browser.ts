/**
 * A real browser, headless, from packages alone. LEASH_TEST_BROWSER=/path/to/chromium takes one that is installed;
 * LEASH_TEST_HEADED=1 shows it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium as playwright } from 'playwright-core';
import { unpackChromium } from './chromium.ts';

export interface OpenBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** To start a process for each page, and one ahead for the next, costs more than most pages do. */
const FEW_PROCESSES = ['--renderer-process-limit=1', '--disable-site-isolation-trials', '--process-per-site'];

export async function openBrowser(): Promise<OpenBrowser> {
  const isShown = process.env.LEASH_TEST_HEADED === '1';
  const home = await mkdtemp(join(tmpdir(), 'leash-browser-'));
  const browser = await playwright.launch({
    executablePath: await browserProgram(isShown),
    // Not the arguments that come with the package: they run everything in one process, which crashes here, and switch
    // off the same-origin policy, which is what some of these tests are about. Root can't have a sandbox.
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none', ...FEW_PROCESSES],
    headless: !isShown,
    // One that is shown finds the way to the screen by the home directory.
    env: isShown ? process.env : { ...process.env, HOME: home },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function browserProgram(isShown: boolean): Promise<string> {
  const installed = process.env.LEASH_TEST_BROWSER;
  if (installed !== undefined && installed !== '') return installed;
  if (isShown) {
    throw new Error(
      'The packaged browser has no window. Set LEASH_TEST_BROWSER to the path of an installed Chromium or Chrome.',
    );
  }
  return await unpackChromium();
}
