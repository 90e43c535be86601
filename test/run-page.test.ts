/** The run's page at the sizes at which it is looked at: what an operator needs at night is in view without scrolling. */
import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { shownRows } from './support/shown-output.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

const SIZES = [
  { name: 'a desktop', width: 1440, height: 900 },
  { name: 'a phone', width: 390, height: 844 },
  { name: 'a small phone', width: 320, height: 568 },
  { name: '200 %', width: 720, height: 450 },
] as const;

const LINES = Array.from({ length: 200 }, (_, nth) => `row ${nth + 1}`);
const lastRow = () => browser.page.locator('.xterm-rows > div', { hasText: /^row 200\s*$/ }).last();

/** Whether all of it is in the window, and nothing lies over its middle. */
function isInView(part: Locator): Promise<boolean> {
  return part.evaluate((element) => {
    const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
    const isInside =
      width > 0 && left >= 0 && top >= 0 && right <= document.documentElement.clientWidth && bottom <= innerHeight;
    const there = document.elementFromPoint(left + Math.min(width / 2, 20), top + height / 2);
    return isInside && (element.contains(there) || element.closest('.output-screen')?.contains(there) === true);
  });
}

/** At each size, with the page at its top. */
async function expectInView(when: string, kill: () => Locator): Promise<void> {
  for (const { name, ...size } of SIZES) {
    await browser.page.setViewportSize(size);
    await waitFor(`the last line to be drawn on ${name}`, async () => {
      return (await shownRows(browser.page)).at(-1) === 'row 200' && (await isInView(lastRow()));
    });
    expect(await isInView(kill()), `the kill, ${when}, on ${name}`).toBe(true);
    expect(await isInView(browser.page.locator('.run-status .state')), `the state, ${when}, on ${name}`).toBe(true);
    expect(
      await browser.page.evaluate(() => [scrollY, document.documentElement.scrollWidth - innerWidth <= 0]),
    ).toEqual([0, true]);
  }
}

test('the newest output and the kill are in view at every size, before, during and after a kill', async () => {
  const run = await environment().simulate('in-view', { ignoresSigterm: true });
  run.print(`${LINES.join('\n')}\n`);
  await signInAs(browser.page, environment(), environment().operatorToken, `/runs/${run.id}`);
  await browser.page.locator('[data-link="live"]').waitFor();
  await expectInView('before it', () => browser.page.getByRole('button', { name: 'Kill', exact: true }));

  const reason = 'it holds a lock on all orders';
  await environment().operator.kill('in-view', { grace_seconds: 300, reason });
  await browser.page.locator('[data-step="term"][data-step-state="done"]').waitFor();
  await expectInView('during it', () => browser.page.getByRole('button', { name: 'Force kill now' }));
  await expectInView('during it', () => browser.page.locator('[data-step="term"] .step-name'));

  await environment().kill('in-view', { signal: 'SIGKILL', grace_seconds: 0 });
  await browser.page.locator('.run-header[data-state="killed"]').waitFor();
  await browser.page.locator('[data-step="gone"][data-step-state="done"]').waitFor();
  await expectInView('after it', () => browser.page.locator('[data-step="gone"] .step-name'));
});

test('on a phone the details are below the output, and the kill stays when one goes there', async () => {
  await browser.reopen({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const run = await environment().simulate('below');
  run.print(`${LINES.join('\n')}\n`);
  await signInAs(browser.page, environment(), environment().operatorToken, `/runs/${run.id}`);
  await waitFor('the last line', async () => (await shownRows(browser.page)).at(-1) === 'row 200');
  await browser.page.getByText('Instance', { exact: true }).scrollIntoViewIfNeeded();
  expect(await isInView(browser.page.getByText(`below_${run.pid}`))).toBe(true);
  expect(await isInView(browser.page.getByRole('button', { name: 'Kill', exact: true }))).toBe(true);
  expect(await isInView(browser.page.locator('.run-status .state'))).toBe(true);
});

test('a run that failed shows its last lines on stderr and the last good run; others ask for neither', async () => {
  const asked: string[] = [];
  browser.page.on('request', (request) => {
    if (/stream=stderr|state=succeeded/.test(request.url())) asked.push(request.url());
  });
  await environment().simulateEnded('went-wrong', 0, 'm2.example.com');
  const good = await environment().simulate('went-wrong');
  await good.end(0);
  const bad = await environment().simulate('went-wrong');
  bad.print('copying\n');
  bad.print('\u001b[31mno space left on device\u001b[0m\n', 'stderr');
  bad.print('cleaning up\n');
  await signInAs(browser.page, environment(), environment().operatorToken, `/runs/${bad.id}`);
  await browser.page.locator('.run-header[data-state="running"]').waitFor();
  await waitFor('its output', async () => (await shownRows(browser.page)).at(-1) === 'cleaning up');
  expect(asked).toEqual([]);
  await bad.end(3);
  const summary = browser.page.locator('.failure-summary');
  await summary.locator('pre').waitFor();
  expect(await summary.locator('pre').textContent()).toBe('no space left on device');
  await summary.getByRole('link', { name: 'Last good run' }).click();
  await browser.page.locator(`[data-run="${good.id}"][data-state="succeeded"]`).waitFor();
  expect(await summary.count()).toBe(0);
});
