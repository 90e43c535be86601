import type { Browser } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { atWorkerEnd } from './worker-end.ts';

let opening: Promise<Browser> | null = null;

/** The browser of this worker. Each file uses its own contexts in it. */
export async function sharedBrowser(): Promise<Browser> {
  opening ??= open();
  const browser = await opening;
  if (browser.isConnected()) return browser;
  // It has crashed. The test that saw it has failed; the others need not.
  opening = open();
  return opening;
}

async function open(): Promise<Browser> {
  const { browser, close } = await openBrowser();
  atWorkerEnd(close);
  return browser;
}
