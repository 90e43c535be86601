/** Brakes and maintenance on the dashboard. */
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { violations } from './support/axe.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

interface Set {
  readonly id: string;
}

async function call(method: string, path: string, body?: object): Promise<Response> {
  return fetch(`${environment().url}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${environment().adminToken}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function active(): Promise<Set[]> {
  return ((await (await call('GET', '/brakes')).json()) as { brakes: Set[] }).brakes;
}

/** Other tests of this control plane must see none. */
afterEach(async () => {
  for (const { id } of await active()) await call('DELETE', `/brakes/${id}`);
});

const bar = () => browser.page.getByRole('region', { name: 'Brakes and maintenance' });

test('a brake is set on the page of its job, shown on every page at once, and ended there', async () => {
  const { page } = browser;
  const run = await environment().simulate('brake-page');
  await signInAs(page, environment(), environment().adminToken, '/jobs/brake-page');
  await page.locator('[data-link="live"]').waitFor();
  await page.getByRole('button', { name: 'Brake…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Set a brake' });
  await dialog.getByLabel('Reason').fill('the upstream data is broken');
  await dialog.getByRole('button', { name: 'Set brake, kill 1 run now' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await bar().textContent()).toMatch(
    /Brake on brake-page: the upstream data is broken .*By admin, until .* left\)/,
  );
  const event = await environment().event(run.id, ({ type }) => type === 'kill_requested', 'the kill');
  expect(event).toMatchObject({ reason: 'brake: the upstream data is broken' });
  expect(await violations(page)).toEqual([]);

  // Of another operator: the socket says that there is something new.
  await page.getByRole('link', { name: 'Leash' }).click();
  await page.locator('[data-link="live"]').waitFor();
  await call('POST', '/brakes', { jobs: 'other-*', machines: 'web-*', until: inAnHour(), kill: false });
  await bar().getByText('Maintenance of other-* on web-*').waitFor();
  await bar().getByRole('button', { name: 'End: brake-page' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End brake' }).click();
  await bar().getByText('Brake on brake-page').waitFor({ state: 'detached' });
  await waitFor('one to be left', async () => (await active()).length === 1);
});

test('who may not kill sees what concerns its own jobs, and can end nothing', async () => {
  const { page } = browser;
  const { admin } = environment();
  await call('POST', '/brakes', { jobs: 'seen-*', until: inAnHour(), kill: false });
  await call('POST', '/brakes', { jobs: 'hidden', until: inAnHour(), kill: false });
  const reader = await admin.createToken({ name: 'reader', scopes: ['read'], jobs: 'seen-1' });
  await signInAs(page, environment(), reader.secret, '/');
  await bar().getByText('Maintenance of seen-*').waitFor();
  expect(await bar().textContent()).not.toContain('hidden');
  expect(await bar().getByRole('button').count()).toBe(0);
});

test('on a page with a socket of its own it is there at once, and comes and goes as it is set and ended', async () => {
  const { page } = browser;
  const run = await environment().simulate('brake-cold');
  await call('POST', '/brakes', { jobs: 'brake-co*', until: inAnHour(), kill: false });
  // Without a socket it is read now and then, which isn't waited for here.
  await page.addInitScript(() => Object.assign(globalThis, { setInterval: () => 0 }));
  await signInAs(page, environment(), environment().operatorToken, `/runs/${run.id}`);
  await bar().getByText('Maintenance of brake-co*').waitFor();
  await page.goto(`${environment().url}/jobs/brake-cold`);
  await bar().getByText('Maintenance of brake-co*').waitFor();

  for (const path of [`/runs/${run.id}`, '/jobs/brake-cold']) {
    await page.goto(`${environment().url}${path}`);
    await page.locator('[data-link="live"]').waitFor();
    await call('POST', '/brakes', { jobs: 'brake-cold', until: inAnHour(), kill: false });
    await bar().getByText('Maintenance of brake-cold').waitFor();
    const set = (await active()).at(-1);
    await call('DELETE', `/brakes/${set?.id}`);
    await bar().getByText('Maintenance of brake-cold').waitFor({ state: 'detached' });
  }
});
