import { expect, test } from 'vitest';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

const HOUR_MS = 60 * 60 * 1000;

async function openPage(path: string, jobs: string): Promise<void> {
  const { secret } = await environment().admin.createToken({ name: jobs, scopes: ['read', 'kill'], jobs });
  await signInAs(browser.page, environment(), secret, path);
}

test('last night says that there is nothing, then offers what has come, and keeps it over a reload', async () => {
  const { page } = browser;
  await environment().simulateEnded('night-a-good', 0);
  await openPage('/last-night', 'night-a-*');
  await page.getByText('Nothing to look at.').waitFor();
  await page.getByText('1 run of 1 job on 1 machine started.').waitFor();

  const about = { owner: 'data team', runbook: 'https://wiki.example.com/backup' };
  const failed = await environment().simulate('night-a-bad', { machine: 'db.example.com', ageMs: HOUR_MS, about });
  failed.print('disk full\n', 'stderr');
  await environment().output(failed.id, 'disk full');
  await failed.end(3, 60_000);
  await environment().run(failed.id, ({ state }) => state === 'failed', 'the run to have failed');
  // It is offered, and what is shown stands still until then.
  await page.getByRole('button', { name: 'Show 1 new' }).waitFor();
  expect(await page.locator('[data-job]').count()).toBe(0);
  await page.getByRole('button', { name: 'Show 1 new' }).click();
  const card = page.locator('[data-job="night-a-bad"]');
  await card.getByText('exit code 3, after 1m').waitFor();
  await card.getByText('Owner: data team').waitFor();
  expect(await card.getByRole('link', { name: 'Runbook' }).getAttribute('href')).toBe(about.runbook);
  await card.getByRole('button', { name: 'Output' }).click();
  await card.getByText('disk full').waitFor();

  await page.reload();
  await card.getByText('exit code 3, after 1m').waitFor();
  await page.getByText('Since your last visit').waitFor();
});

test('a machine is found from a run, shows what runs there, and kills it', async () => {
  const { page } = browser;
  await environment().simulateEnded('night-b-fails', 3, 'b.example.com');
  const run = await environment().simulate('night-b-runs', { machine: 'b.example.com' });
  await openPage(`/runs/${run.id}`, 'night-b-*');
  await page.locator('.run-header').getByRole('link', { name: 'b.example.com' }).click();
  await page.getByRole('heading', { name: 'b.example.com' }).waitFor();
  await page.locator('.machine-job[data-job="night-b-fails"]').getByText('exit code 3').waitFor();
  await page.getByRole('button', { name: 'Kill night-b-runs on b.example.com' }).click();
  await page.getByRole('dialog').getByRole('button', { name: /^Kill/ }).click();
  await page.getByText('Nothing runs here now.').waitFor();
  await page.locator('.machine-job[data-job="night-b-runs"]').getByText('killed', { exact: true }).waitFor();
  await page.keyboard.press('M');
  await page.locator('[data-machine="b.example.com"]').waitFor();
});
