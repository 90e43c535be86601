/** The page that brings a machine to the control plane. */
import { expect, onTestFinished, test } from 'vitest';
import { violations } from './support/axe.ts';
import { SimulatedRun } from './support/simulated-run.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

test('a token is made and its line shown; the page waits for the machine, and says that it has come', async () => {
  const { page } = browser;
  await signInAs(page, environment(), environment().adminToken, '/tokens');
  await page.getByRole('link', { name: 'Add a machine' }).click();

  // All of it by keyboard: the first field has the focus, Enter sends.
  const name = page.locator('#token-name:focus');
  await name.waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('Enter a name').waitFor();
  await name.fill('added machine');
  await page.getByLabel('Machines', { exact: true }).fill('added-*');
  await page.getByLabel('Jobs', { exact: true }).fill('add-machine-*');
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Enter');

  const line = page.getByText('/install.sh').first();
  await line.waitFor();
  const { url } = environment();
  expect(await line.textContent()).toBe(`curl -fsSL ${url}/install.sh | sh -s -- --token-stdin`);
  await page.getByRole('radio', { name: /^a user with sudo/ }).check();
  expect(await line.textContent()).toBe(`curl -fsSL ${url}/install.sh | sudo sh -s -- --token-stdin`);
  const secret = (await page.locator('[data-secret=true]').textContent()) ?? '';
  await page.getByText('Waiting for “added machine” to connect').waitFor();
  expect(await violations(page)).toEqual([]);

  // Another machine, with another token: not what the page waits for.
  await environment().simulate('add-machine-other', { machine: 'other-1' });
  const run = await SimulatedRun.start(url, secret, { job: 'add-machine-leash-test', machine: 'added-1' });
  onTestFinished(() => run.close());
  const connected = page.getByRole('listitem').filter({ hasText: 'is connected' });
  await connected.waitFor();
  expect(await connected.allTextContents()).toEqual(['added-1 is connected: run of add-machine-leash-test, running']);
  await page.getByText('leash run --job add-machine-backup --').waitFor();
  expect(await violations(page)).toEqual([]);
  page.once('dialog', (dialog) => void dialog.accept());
  await connected.getByRole('link').click();
  await page.waitForURL(`**/runs/${run.id}?job=add-machine-leash-test`);
});

test('without the rights of an administrator the page says what is missing', async () => {
  const { page } = browser;
  await signInAs(page, environment(), environment().operatorToken, '/add-machine');
  await page.getByRole('heading', { name: 'Add a machine' }).waitFor();
  await page.getByText('needs the admin scope for all jobs').waitFor();
});
