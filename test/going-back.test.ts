/** Lists that come page by page are there again as they were when one comes back to them. */
import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

const TIME = '2026-11-01T00:00:00.000Z';

test('the kills and the audit are read as far down as before, and what was open is open', async () => {
  const { page } = browser;
  const { kill } = await environment().operator.kill('never-seen', { instance: 'never-seen_3' });
  await page.route(/\/api\/v1\/kills\?/, async (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0);
    const kills = Array.from({ length: 50 }, (_, nth) => ({
      ...kill,
      id: `01K${String(9_999 - from - nth).padStart(23, '0')}`,
      requested_at: TIME,
    }));
    await route.fulfill({ json: { kills, next_cursor: String(from + 50) } });
  });
  const rows = page.locator('.rows > li');
  const rowAt = (nth: number) => page.locator(`.rows > li[aria-posinset="${nth}"]`);
  const showOlder = async (to: number) => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.getByRole('button', { name: 'Load older' }).click();
    await waitFor(`${to} rows`, async () => (await rows.first().getAttribute('aria-setsize')) === String(to));
  };
  await signInAs(page, environment(), environment().adminToken, '/kills?state=queued,delivered');
  await rows.first().waitFor();
  await showOlder(100);
  await showOlder(150);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await rowAt(149).locator('[data-cursor]').click();
  await page.getByRole('link', { name: '← Kills' }).waitFor();
  const before = await page.evaluate(() => history.length);
  await page.goBack();
  await waitFor('the focus on the row', () =>
    page.evaluate(() => document.activeElement?.closest('li')?.getAttribute('aria-posinset') === '149'),
  );
  expect(await rowAt(149).isVisible()).toBe(true);
  expect(await page.evaluate(() => history.length)).toBe(before);
  expect(new URL(page.url()).search).toBe('?state=queued,delivered');

  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByRole('button', { name: 'Details' }).first().click();
  await page.locator('.audit-details').waitFor();
  await page.getByRole('link', { name: 'Tokens' }).click();
  await page.getByRole('heading', { name: 'Tokens' }).waitFor();
  await page.goBack();
  await page.locator('.audit-details').waitFor();
});

test('the timeline is where it was, with the focus on the bar', async () => {
  const { page } = browser;
  const run = await environment().simulate('lane-kept');
  const template = await environment().operator.run(run.id);
  const runs = Array.from({ length: 80 }, (_, nth) => ({
    ...template,
    id: `01M${String(nth).padStart(23, '0')}`,
    job: `lane-kept-${String(nth).padStart(2, '0')}`,
  }));
  await page.route(/\/api\/v1\/runs\?/, (route) => route.fulfill({ json: { runs, next_cursor: null } }));
  await signInAs(page, environment(), environment().operatorToken, '/timeline?q=lane-kept-&window=1h');
  const bar = page.locator('[data-row-key="lane-kept-60"] [data-bar]');
  await page.locator('[data-row-key="lane-kept-00"] [data-bar]').waitFor();
  await waitFor('the lane', async () => {
    await page.evaluate(() => scrollTo(0, 60 * 37 - 300));
    return (await bar.count()) > 0;
  });
  await bar.focus();
  const top = (await bar.boundingBox())?.y ?? Number.NaN;
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Run not found' }).waitFor();
  await page.goBack();
  await waitFor('the bar to be where it was', async () => {
    const isFocused = (await bar.count()) > 0 && (await bar.evaluate((element) => element === document.activeElement));
    return isFocused && Math.abs(((await bar.boundingBox())?.y ?? Number.NaN) - top) < 8;
  });
  await environment().kill('lane-kept');
});
