/** A signed-in page of the browser, at the speed that the bench asks for, and what a visit to one view found. */
import type { Browser, CDPSession, Page } from 'playwright-core';
import type { BenchPlane } from '../measure/bench-plane.ts';
import type { Busy } from './busy-page.ts';

/** What a visit to one view found. */
export interface PageVisit {
  /** Until all is there; and with the same lists, but without runs. */
  readonly loadMs: number;
  readonly emptyLoadMs: number;
  readonly loading: Busy;
  readonly busy: readonly Busy[];
}

export class Visitor {
  readonly #browser: Browser;
  readonly #plane: BenchPlane;
  readonly #slowdown: number;

  constructor(browser: Browser, plane: BenchPlane, slowdown: number) {
    this.#browser = browser;
    this.#plane = plane;
    this.#slowdown = slowdown;
  }

  get url(): string {
    return this.#plane.url;
  }

  async open(): Promise<{ readonly page: Page; readonly devtools: CDPSession }> {
    const page = await this.#browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${this.url}/#token=${this.#plane.operatorToken}`);
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: this.#slowdown });
    return { page, devtools };
  }
}
