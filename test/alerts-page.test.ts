/** Alerts on the dashboard: created, tested, changed, muted and deleted by an admin. */
import { expect, test } from 'vitest';
import { startReceiver } from './support/alerts.ts';
import { violations } from './support/axe.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

test('an alert is created, tested, edited, muted, unmuted and deleted', async () => {
  const { page } = browser;
  const { channel, messages, answer } = await startReceiver();
  await signInAs(page, environment(), environment().adminToken, '/alerts');
  const row = page.locator('.alert-row').filter({ hasText: 'page-alert' });
  const dialog = page.getByRole('dialog');

  await page.getByRole('button', { name: 'Create alert' }).click();
  await dialog.getByLabel('Name').fill('page-alert');
  await dialog.getByLabel('Jobs').fill('page-alerts-*');
  await dialog.getByRole('checkbox', { name: 'slow' }).check();
  await dialog.getByLabel('URL').fill('nowhere');
  await dialog.getByLabel('Secret').fill(channel.secret);
  await dialog.getByRole('button', { name: 'Create alert' }).click();
  const url = dialog.getByLabel('URL');
  await expect.poll(() => url.getAttribute('aria-invalid')).toBe('true');
  expect(await url.evaluate((field) => field === document.activeElement)).toBe(true);
  expect(await violations(page)).toEqual([]);
  await url.fill(channel.url);
  await dialog.getByRole('button', { name: 'Create alert' }).click();
  await dialog.waitFor({ state: 'detached' });
  await row.getByText('jobs page-alerts-*').waitFor();
  expect(await row.textContent()).toContain('slow');
  expect(await page.content()).not.toContain(channel.secret);

  await page.getByRole('button', { name: 'Test page-alert' }).click();
  await dialog.getByText('The receiver has taken the test message.').waitFor();
  expect(messages()).toMatchObject([{ alert: { name: 'page-alert' }, is_test: true }]);
  await dialog.getByRole('button', { name: 'Close' }).click();

  answer(500);
  await page.getByRole('button', { name: 'Test page-alert' }).click();
  await dialog.getByText('The receiver answered 500').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  // Also for whoever opens the page later.
  await page.reload();
  await row.getByText('channel broken since').waitFor();
  await row.getByText(/^Failed .*: The receiver answered 500$/).waitFor();

  await page.getByRole('button', { name: 'Edit page-alert' }).click();
  await dialog.getByLabel('Machines').fill('web-*');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await row.getByText('jobs page-alerts-* on web-*').waitFor();

  await page.getByRole('button', { name: 'Mute page-alert' }).click();
  await dialog.getByRole('button', { name: '4 hours' }).click();
  await row.getByText('muted until').waitFor();
  await page.getByRole('button', { name: 'Unmute page-alert' }).click();
  await page.getByRole('dialog', { name: '“page-alert” is muted' }).waitFor();
  expect(await violations(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Unmute now' }).click();
  await row.getByText('muted until').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Delete page-alert' }).click();
  await dialog.getByRole('button', { name: 'Delete alert' }).click();
  await row.waitFor({ state: 'detached' });
});
