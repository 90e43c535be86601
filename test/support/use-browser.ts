/** A page in a real browser for each test, with checks that all pages must pass. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { nameSources } from '../../scripts/local/source-maps.ts';
import { sharedBrowser } from './shared-browser.ts';
import type { TestEnvironment } from './test-environment.ts';

export interface BrowserUse {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Continues in a new context, as if in another browser: it shares nothing with the first. */
  reopen(options: BrowserContextOptions): Promise<void>;
}

/**
 * Fails a test at its end if its page threw an error, violated its content security policy, or sent a request to another
 * origin.
 *
 * The tests of a file share one context, because creating one and loading everything into it would be most of their cost;
 * each test gets it clean: without cookies, storage, pages and changes to the network.
 */
export function useBrowser(options: BrowserContextOptions = {}): BrowserUse {
  let browser: Browser;
  let shared: BrowserContext | null = null;
  let anchor: Page | null = null;
  let current: { context: BrowserContext; page: Page } | null = null;
  let mistakes: string[] = [];

  beforeAll(async () => {
    browser = await sharedBrowser();
  });
  afterAll(async () => {
    await shared?.close();
  });
  const newContext = async (wanted: BrowserContextOptions) => {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...wanted });
    context.setDefaultTimeout(WAIT_LIMIT_MS);
    await context.exposeFunction('blocked', (what: string) => mistakes.push(`blocked: ${what}`));
    await context.addInitScript(reportBlockedRequests);
    return context;
  };
  const openPage = async (context: BrowserContext) => {
    const page = await context.newPage();
    page.on('pageerror', (error) => mistakes.push(nameSources(error.stack ?? String(error))));
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      const isOwn = page.url() === 'about:blank' || origin === new URL(page.url()).origin;
      if (!isOwn && protocol !== 'data:' && protocol !== 'blob:') mistakes.push(`asked ${request.url()}`);
    });
    current = { context, page };
  };
  const leave = async () => {
    if (current === null) return;
    const { context } = current;
    current = null;
    if (context === shared) await makeAsNew(context, anchor);
    else await context.close();
  };
  beforeEach(async () => {
    mistakes = [];
    shared ??= await newContext(options);
    // The renderer process ends with its last page, and starting it is most of a page's cost.
    anchor ??= await shared.newPage();
    await openPage(shared);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await logPageContent(opened().page);
    await leave();
    expect(mistakes).toEqual([]);
  });

  const opened = () => {
    if (current === null) throw new Error('the page is there inside of tests only');
    return current;
  };
  return {
    get page() {
      return opened().page;
    },
    get context() {
      return opened().context;
    },
    reopen: async (wanted) => {
      await leave();
      await openPage(await newContext({ ...options, ...wanted }));
    },
  };
}

async function makeAsNew(context: BrowserContext, anchor: Page | null): Promise<void> {
  await context.setOffline(false);
  await context.unrouteAll();
  await context.clearCookies();
  for (const page of context.pages()) {
    if (page === anchor) continue;
    // A page that never navigated has no storage.
    if (page.url().startsWith('http')) await page.evaluate(() => localStorage.clear());
    await page.close();
  }
}

/** Helps when the failure can't be repeated. */
async function logPageContent(page: Page): Promise<void> {
  const there = await page.locator('body').ariaSnapshot();
  console.info(`${page.url()} shows:\n${there}`);
}

/** Runs in the page, before its own script. */
function reportBlockedRequests(): void {
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, sourceFile, lineNumber }) => {
    (globalThis as unknown as { blocked(what: string): void }).blocked(
      `${violatedDirective} at ${sourceFile}:${lineNumber}`,
    );
  });
}

/** Signs in by a link that carries the token, and waits until the page is there. */
export async function signInAs(
  page: Page,
  environment: Pick<TestEnvironment, 'url'>,
  token: string,
  path = '/',
): Promise<void> {
  await page.goto(`${environment.url}${path}#token=${token}`);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}
