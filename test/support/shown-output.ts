/** The output that the dashboard shows: the rows on the screen, or what "Copy" copies. */
import type { Page } from 'playwright-core';

export const CLIPBOARD = ['clipboard-read', 'clipboard-write'];

/** The rows on the screen, without the empty ones at the end. */
export async function shownRows(page: Page): Promise<string[]> {
  const rows = await page.evaluate(() => {
    // During a rewrite a copy of the old rows covers the terminal.
    const seen = document.querySelector('.output-still') ?? document.querySelector('.output-screen');
    const elements = [...(seen?.querySelectorAll('.xterm-rows > div') ?? [])];
    return elements.map((row) => (row.textContent ?? '').replaceAll('\u00a0', ' ').trimEnd());
  });
  return rows.slice(0, rows.findLastIndex((row) => row !== '') + 1);
}

/** All of the part that is loaded. The page's context must have been given the clipboard. */
export async function copiedOutput(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Copy the selection or all loaded output' }).click();
  return page.evaluate(() => navigator.clipboard.readText());
}
