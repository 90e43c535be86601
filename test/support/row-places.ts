/** The positions of runs' rows in the browser's window. */
import type { Page } from 'playwright-core';

interface RowPlace {
  readonly run: string;
  /** The middle of the row's link. */
  readonly x: number;
  readonly y: number;
  readonly hasFocus: boolean;
}

function placesOf(page: Page, selector: string): Promise<RowPlace[]> {
  return page.evaluate((wanted) => {
    const rows = [...document.querySelectorAll<HTMLElement>(wanted)];
    return rows.flatMap((row) => {
      const link = row.querySelector('[data-cursor]');
      if (link === null) return [];
      const { left, top, height } = link.getBoundingClientRect();
      const hasFocus = link === document.activeElement;
      return [{ run: row.dataset.run ?? '', x: left + 4, y: top + height / 2, hasFocus }];
    });
  }, selector);
}

/** A row in the middle of the window; null while there is none. */
export async function rowInView(page: Page): Promise<RowPlace | null> {
  const heightPx = await page.evaluate(() => innerHeight);
  const places = await placesOf(page, '[data-run]');
  return places.find(({ y }) => y > heightPx / 2 && y < heightPx - 100) ?? null;
}

/** Null while it is not drawn. */
export async function placeOfRun(page: Page, run: string): Promise<RowPlace | null> {
  const [place] = await placesOf(page, `[data-run="${run}"]`);
  return place ?? null;
}
