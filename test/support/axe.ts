/** What axe-core finds wrong with a page: WCAG 2.2 A and AA, and axe's best practices. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

const RULES: RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations'],
};

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** @returns each rule that is broken, with the elements that break it */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated by the browser's own tools: the page's policy would not let it in as a script.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source);
  const results = await page.evaluate<AxeResults, RunOptions>(
    (rules) => (globalThis as unknown as { axe: typeof import('axe-core') }).axe.run(document, rules),
    RULES,
  );
  return results.violations.map(
    ({ id, help, nodes }) => `${id} (${help}): ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  );
}
