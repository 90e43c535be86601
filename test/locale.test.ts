import { expect, test } from 'vitest';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

/** All that a reader is shown or read aloud, and whether it is written from left to right. */
function shownWords(): string {
  const words = [getComputedStyle(document.documentElement).direction, document.body.innerText];
  for (const element of document.querySelectorAll('[title], [aria-label], [aria-valuetext]')) {
    for (const name of ['title', 'aria-label', 'aria-valuetext']) words.push(element.getAttribute(name) ?? '');
  }
  return words.join('\n');
}

test.each(['ar-EG', 'fa-IR'])('a browser in %s shows English dates and digits on every view', async (locale) => {
  const current = environment();
  const job = `locale-${locale}`;
  const failed = await current.simulate(job);
  await failed.end(3, 0);
  await current.simulate(job);
  const { kill } = await current.operator.kill(job);
  await browser.reopen({ locale });
  const { page } = browser;
  const views: readonly [path: string, shown: string][] = [
    [`/?q=${job}`, job],
    [`/timeline?q=${job}`, job],
    [`/jobs/${job}`, 'End of history · 2 runs'],
    [`/runs/${failed.id}`, 'Started'],
    [`/kills/${kill.id}`, 'Requested by'],
    ['/kills', job],
    ['/audit', job],
    // Of many tokens only those in view are drawn.
    ['/tokens', 'Last used'],
  ];
  await signInAs(page, current, current.adminToken);
  const years: string[] = [];
  for (const [path, shown] of views) {
    await page.goto(`${current.url}${path}`);
    await page.getByText(shown).first().waitFor();
    const words = await page.evaluate(shownWords);
    expect(words, path).toMatch(/^ltr\n/);
    expect(words, path).toContain(shown);
    expect(words.match(/[^\n]*[\p{Script=Arabic}\u200e\u200f\u06f0-\u06f9][^\n]*/gu), path).toBeNull();
    years.push(...(words.match(/\b20\d\d\b/g) ?? []));
  }
  // Not of another calendar: it is now.
  expect(new Set(years)).toEqual(new Set([String(new Date().getFullYear())]));
});
