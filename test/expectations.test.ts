/** What is expected of a job: set on its page, missed by the control plane's own clock, shown where people look. */
import { expect, test } from 'vitest';
import { SHORT_DEADLINES } from './support/test-environment.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useOwnTestEnvironment } from './support/use-test-environment.ts';

/** What it waits for before it judges, as after an outage, is short. */
const environment = useOwnTestEnvironment(SHORT_DEADLINES);
const browser = useBrowser();

const HOUR_MS = 60 * 60 * 1000;
const JOB = 'expected-backup';

test('an admin expects runs on the page, is told when none comes, and finds the next day that one came late', async () => {
  const { url, adminToken } = environment();
  // The next is due at once.
  await environment().simulateEnded(JOB, 0, 'web1', HOUR_MS);
  const { page } = browser;
  await signInAs(page, environment(), adminToken, `/jobs/${JOB}`);
  const section = page.getByRole('region', { name: 'Expected runs' });
  await section.getByText('no times set').waitFor();
  await section.locator('summary').click();
  await section.getByRole('button', { name: 'Expect runs…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Expect runs' });
  await dialog.getByLabel('Every').fill('soon');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Enter a duration such as').waitFor();
  await dialog.getByLabel('Every').fill('1h');
  await dialog.getByLabel('Late after').fill('1s');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await section.getByText('any machine: every 1h, late after 1s').waitFor();

  await section.locator('li').filter({ hasText: 'noticed' }).waitFor();
  await page.goto(url);
  const overdue = page.getByRole('region', { name: 'Runs that have not started' });
  await overdue.getByRole('link', { name: JOB }).waitFor();
  environment().wrapper({
    job: JOB,
    machine: 'web1',
    command: ['sleep', '600'],
    flags: ['--schedule', '0 3 * * *', '--tz', 'Asia/Tokyo', '--slow-after', '1s'],
  });
  await overdue.getByRole('link', { name: JOB }).waitFor({ state: 'detached' });
  await page.goto(`${url}/jobs/${JOB}`);
  await section.locator('summary').click();
  await section.getByText('web1: at 0 3 * * * (Asia/Tokyo), slow after 1s').waitFor();
  const run = await environment().runOf(JOB, ({ slow_since }) => slow_since !== null);

  await page.goto(`${url}/last-night`);
  const late = page.locator(`[data-job="${JOB}"] .finding[data-kind="late"]`);
  await late.getByText(/was due .*; came .* late at/).waitFor();
  await late.getByText('over').waitFor();
  expect(await late.getByRole('link', { name: 'Run' }).getAttribute('href')).toContain(run.id);
  expect(await page.getByRole('alert').count()).toBe(0);
});
