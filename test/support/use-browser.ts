/** A page in a real browser for each test, and what must not happen on any of them. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { nameSources } from '../../scripts/local/source-maps.ts';
import { sharedBrowser } from './shared-browser.ts';
import type { TestEnvironment } from './test-environment.ts';

export interface BrowserUse {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Goes on in another browser, as it were: nothing of the first one is known to it. */
  reopen(options: BrowserContextOptions): Promise<void>;
}

/**
 * Fails a test in the end whose page threw an error, broke its own content security policy, or asked anybody but its
 * own origin for anything.
 *
 * The tests of a file take turns with one context, because to make one, and to load everything into it, is most of what
 * many of them would do; each finds it as new: without cookies, storage, pages and what was done to the network.
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
    await context.addInitScript(tellWhatIsBlocked);
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
    // The process that draws pages ends with the last of them, and to start it is most of what a page costs.
    anchor ??= await shared.newPage();
    await openPage(shared);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await tellWhatIsThere(opened().page);
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
    // A page that has gone nowhere has no storage.
    if (page.url().startsWith('http')) await page.evaluate(() => localStorage.clear());
    await page.close();
  }
}

/** For who can't repeat the failure. */
async function tellWhatIsThere(page: Page): Promise<void> {
  const there = await page.locator('body').ariaSnapshot();
  console.info(`${page.url()} shows:\n${there}`);
}

/** Runs in the page, before its own script. */
function tellWhatIsBlocked(): void {
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
