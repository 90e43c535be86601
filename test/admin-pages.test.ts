import type { Page } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import type { Token } from '#protocol/api';
import { sampleOf } from '#testing/seed';
import { waitFor } from '#testing/wait-for';
import { ApiClient } from '../scripts/local/api-client.ts';
import { violations } from './support/axe.ts';
import { FOREVER, STUBBORN } from './support/commands.ts';
import { signInAs, useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const browser = useBrowser();

let page: Page;
beforeEach(() => {
  page = browser.page;
});

/** Signs in and goes to a page. */
function visit(path: string, token: string): Promise<void> {
  return signInAs(page, environment(), token, path);
}

/** A token by which nobody else is signed in. */
async function freshToken(name: string, scopes: Token['scopes']): Promise<{ id: string; secret: string }> {
  const { token, secret } = await environment().admin.createToken({ name, scopes });
  return { id: token.id, secret };
}

async function statusOf(secret: string, path = '/runs'): Promise<number> {
  return (await new ApiClient(environment().url, secret).request('GET', path)).status;
}

/** The secret in the dialog that shows it. */
async function shownSecret(): Promise<string> {
  return (await page.locator('[data-secret]').textContent()) ?? '';
}

async function closeSecret(): Promise<void> {
  await page.getByRole('checkbox', { name: 'I’ve saved it' }).check();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.locator('[data-secret]').waitFor({ state: 'detached' });
}

const tokenRow = (name: string) => page.locator('[data-token]').filter({ has: page.getByText(name, { exact: true }) });

test('a token created here starts a run, is rotated and deleted; the audit log lists it all', async () => {
  await visit('/tokens', environment().adminToken);
  await page.getByRole('button', { name: 'Create token' }).click();
  await page.getByLabel('Name', { exact: true }).fill('web machines');
  expect(await page.getByLabel('Machines', { exact: true }).count()).toBe(0);
  await page.getByRole('checkbox', { name: /^run/ }).check();
  await page.getByLabel('Machines', { exact: true }).fill('web-*');
  await page.getByLabel('Expires').selectOption('7');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click();
  const secret = await shownSecret();
  expect(await violations(page)).toEqual([]);
  expect(await page.getByText('in front of the command').count()).toBe(1);
  // Neither Escape nor a hasty click takes away what can't be seen again.
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByText('it can’t be shown again').waitFor();
  expect(await shownSecret()).toBe(secret);
  await closeSecret();
  await tokenRow('web machines').getByText('on web-*').waitFor();

  const wrapper = environment().wrapper({
    job: 'made-here',
    machine: 'web-7.example.com',
    token: secret,
    command: FOREVER,
  });
  await environment().runOf('made-here', (run) => run.state === 'running');
  expect(wrapper.isRunning).toBe(true);

  await page.getByRole('button', { name: 'Rotate web machines' }).click();
  await page.getByLabel('It leaked').check();
  await page.getByRole('button', { name: 'Revoke and rotate now' }).click();
  await page.getByText('New secret for “web machines”').waitFor();
  const renewed = await shownSecret();
  expect(renewed).not.toBe(secret);
  expect(await statusOf(secret, '/session')).toBe(401);
  expect(await statusOf(renewed, '/session')).toBe(200);
  await closeSecret();

  await page.getByRole('button', { name: 'Delete web machines' }).click();
  await page.getByRole('button', { name: 'Delete token' }).click();
  await tokenRow('web machines').waitFor({ state: 'detached' });
  expect(await statusOf(renewed, '/session')).toBe(401);

  await page.getByRole('link', { name: 'Audit' }).click();
  const entry = (text: string) => page.locator('[data-entry]').filter({ hasText: text }).first();
  await entry('admin deleted the token “web machines”').waitFor();
  await entry('rotated the token “web machines”, revoked the old secret and ended its sessions').waitFor();
  const made = entry('created the token “web machines” (run; all jobs; machines web-*)');
  await made.getByRole('button', { name: 'Details' }).click();
  await made.getByText('127.0.0.1').waitFor();
  // The refusals of the old secret are written about a second later.
  await waitFor('the refusal of the old secret to be told', async () => {
    await page.getByRole('button', { name: 'Refresh' }).click();
    return (await page.getByText('the secret was rotated').count()) > 0;
  });
  expect(await violations(page)).toEqual([]);
});

test('the audit is narrowed to one who acts, and offers what is newer', async () => {
  const { id, secret } = await freshToken('auditor', ['admin']);
  await visit('/audit', secret);
  await page.getByRole('button', { name: 'auditor', exact: true }).first().click();
  expect(new URL(page.url()).searchParams.get('actor')).toBe(id);
  const entries = page.locator('[data-entry]');
  await waitFor('nothing but what this token did', async () =>
    (await entries.allTextContents()).every((text) => text.includes('auditor signed in')),
  );
  // The button that was pressed is gone: the keyboard must not be back at the top of the page.
  expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('BODY');
  await page.getByLabel('By', { exact: true }).selectOption('');
  await page.getByLabel('Action', { exact: true }).selectOption('kill');
  await waitFor('the address to follow', async () => new URL(page.url()).search === '?action=kill');
  await page.getByText(/^As of/).waitFor();
  await environment().operator.kill('never-seen', { instance: 'never-seen_1', reason: 'told at once' });
  await page.getByText('1 newer kill').waitFor();
  await page.getByRole('button', { name: 'Load new entries' }).click();
  const told = page.locator('[data-action="kill"]').filter({ hasText: 'told at once' });
  await told.waitFor();
  expect(await page.getByText('1 newer kill').count()).toBe(0);
  await told.getByRole('link', { name: 'Kill' }).click();
  await page.getByRole('heading', { name: 'Kill of never-seen' }).waitFor();
  await page.getByText('No matching run right now').waitFor();
});

test('a kill is followed live from its page and in the list, to its end', async () => {
  const wrapper = environment().wrapper({ job: 'killed', command: STUBBORN });
  const run = await environment().runOf('killed');
  await environment().output(run.id, 'ready');
  await visit('/kills?job=killed', environment().operatorToken);
  await page.getByText('No matching kills for killed').waitFor();

  const { kill } = await environment().operator.kill('killed', { grace_seconds: 300, reason: 'holds a lock' });
  // It comes by itself.
  const row = page.locator(`[data-kill="${kill.id}"]`);
  await row.getByText('in grace period').waitFor();
  await row.getByText('holds a lock').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator(`[data-target="${run.id}"][data-state="term"]`).waitFor();
  await page.getByText('SIGTERM sent to all processes').waitFor();
  const hops = page.getByRole('list', { name: 'Time since the request' }).getByRole('listitem');
  await hops.filter({ hasText: /^First signal ./ }).waitFor();
  expect(await hops.filter({ hasText: 'All ended' }).count()).toBe(0);
  expect(await violations(page)).toEqual([]);

  await environment().operator.kill('killed', { signal: 'SIGKILL', grace_seconds: 0 });
  await page.locator(`[data-target="${run.id}"] [data-exit-code="143"]`).waitFor();
  await page.locator('.kill-head[data-state="settled"]').waitFor();
  await page.getByText('Done: every targeted run has ended.').waitFor();
  await hops.filter({ hasText: 'All ended' }).waitFor();
  const names = (await hops.allTextContents()).map((text) => text.replace(/[\d<].*/, '').trim());
  expect(names.toSorted()).toEqual(['All ended', 'First signal', 'Received', 'Sent', 'Stored']);
  expect((await wrapper.exit).code).toBe(143);
  await page.getByRole('link', { name: 'Run on m1.example.com' }).click();
  await page.locator(`[data-run="${run.id}"]`).first().waitFor();
});

test('what happened while the link was down is there when it is back', async () => {
  const run = await environment().simulate('meanwhile', { ignoresSigterm: true });
  const { kill } = await environment().operator.kill('meanwhile', { grace_seconds: 300 });
  const network = await environment().proxy();
  await signInAs(page, network, environment().operatorToken, '/kills?state=queued,delivered');
  const row = page.locator(`[data-kill="${kill.id}"]`);
  await row.getByText('in grace period').waitFor();
  network.cut();
  await page.locator('[data-link="stale"]').waitFor();
  await environment().kill('meanwhile', { signal: 'SIGKILL', grace_seconds: 0 });
  expect((await run.exit).code).toBe(143);
  network.restore();
  await page.locator('[data-link="live"]').waitFor();
  // It stays in the list, although the list shows only kills in progress.
  await row.getByText('done').waitFor();
});

test('an unknown kill leads back', async () => {
  await visit('/kills/01J00000000000000000000002', environment().operatorToken);
  await page.getByText('Kill not found').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('link', { name: 'View all kills' }).click();
  await page.getByRole('heading', { name: 'Kills' }).waitFor();
});

test('a token that may only read sees nothing that it may not do', async () => {
  const run = await environment().simulate('looked-at');
  const { kill } = await environment().operator.kill('never-seen', { instance: 'never-seen_2' });
  const { secret } = await freshToken('onlooker', ['read']);
  await visit('/?q=looked-at', secret);
  await page.getByRole('link', { name: 'looked-at on m1.example.com' }).waitFor();
  const places = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  expect(await places.allTextContents()).toEqual(['Runs', 'Last night', 'Timeline', 'Kills', 'Machines']);
  const kills = page.getByRole('button', { name: /^(force )?kill/i });
  expect(await kills.count()).toBe(0);
  await page.goto(`${environment().url}/runs/${run.id}`);
  await page.locator(`[data-run="${run.id}"][data-state="running"]`).waitFor();
  expect(await kills.count()).toBe(0);
  await page.goto(`${environment().url}/kills/${kill.id}`);
  await page.getByRole('heading', { name: 'Kill of never-seen' }).waitFor();
  expect(await kills.count()).toBe(0);
  for (const path of ['/tokens', '/audit']) {
    await page.goto(environment().url + path);
    await page.getByText('You don’t have access').waitFor();
    await page.getByText('needs the admin scope for all jobs').waitFor();
    expect(await page.getByRole('button', { name: 'Create token' }).count()).toBe(0);
    expect(await violations(page)).toEqual([]);
  }
});

test('a token without the scope `read` sees why, and may still see the outcome of its kill', async () => {
  const runner = await freshToken('a machine', ['run']);
  await visit('/', runner.secret);
  await page.getByText('You don’t have access').waitFor();
  await page.getByText('scopes: run').waitFor();
  await page.getByRole('button', { name: 'Switch token' }).click();
  await page.getByLabel('Token').waitFor();

  const killer = await freshToken('pipeline', ['kill']);
  const { kill } = await environment().operator.kill('never-seen', { instance: 'never-seen_3' });
  await visit(`/kills/${kill.id}`, killer.secret);
  await page.getByText('No matching run right now').waitFor();
  await page.getByRole('button', { name: 'Refresh' }).waitFor();
});

test.each(sampleOf(['/', '/tokens', '/audit', '/kills']))(
  'someone whose token is deleted meanwhile is sent from %s to the sign-in, which says why',
  async (path) => {
    const { id, secret } = await freshToken('short-lived', ['read', 'admin']);
    await visit(path, secret);
    await page.locator('main').getByRole('heading').first().waitFor();
    // It is the end of the link that tells: it has to be up.
    await waitFor('the token to be good', async () => (await statusOf(secret)) === 200);
    await page.locator('main[aria-busy="true"]').waitFor({ state: 'detached' });
    expect((await environment().admin.request('DELETE', `/tokens/${id}`)).status).toBe(204);
    await page.getByLabel('Token').waitFor();
    await page.getByText('its token was revoked').waitFor();
  },
);

test('who ends the secret that they are signed in with is warned, signed out, and keeps the new one', async () => {
  const { secret } = await freshToken('ada', ['admin']);
  await visit('/tokens', secret);
  await tokenRow('ada').getByText('current session').waitFor();
  await page.getByRole('button', { name: 'Rotate ada' }).click();
  await page.getByLabel('It leaked').check();
  await page.getByText('You are signed in with this token.').waitFor();
  await page.getByRole('button', { name: 'Revoke and rotate now' }).click();
  // The session is over before the new secret was read: it stands over the sign-in.
  await page.locator('#sign-in-problem').waitFor();
  const renewed = await shownSecret();
  await closeSecret();
  await page.getByLabel('Token').fill(renewed);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await tokenRow('ada').waitFor();

  await page.getByRole('button', { name: 'Delete ada' }).click();
  await page.getByText('You are signed in with this token.').waitFor();
  await page.getByRole('button', { name: 'Delete token' }).click();
  await page.getByText('its token was revoked').waitFor();
});

test('a token is created and deleted by keyboard alone', async () => {
  await visit('/tokens', environment().adminToken);
  await page.locator('[data-token]').first().waitFor();
  await page.keyboard.press('n');
  await page.keyboard.type('by keys');
  await page.keyboard.press('Enter');
  // Not without a right: the focus is where the mending is.
  await page.getByText('Select at least one scope.').waitFor();
  await page.keyboard.press('Space');
  await page.keyboard.press('Enter');
  await page.locator('[data-secret]').waitFor();
  const stored = page.getByRole('checkbox', { name: 'I’ve saved it' });
  await waitFor('the focus to come to the checkbox', async () => {
    await page.keyboard.press('Tab');
    return stored.evaluate((element) => element === document.activeElement);
  });
  await page.keyboard.press('Space');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.locator('[data-secret]').waitFor({ state: 'detached' });
  await tokenRow('by keys').waitFor();

  // It is the newest, so it is on top.
  await page.keyboard.press('j');
  for (let tabs = 0; tabs < 2; tabs++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Delete “by keys”?').waitFor();
  // The focus is not on what can't be undone.
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await tokenRow('by keys').waitFor({ state: 'detached' });
  expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Tokens, newest first');
});

test('the overview warns admins, and only them, that the index is nearly full', async () => {
  const index = { bytes: 380_000_000, max_bytes: 500_000_000, warning_bytes: 350_000_000, removal_bytes: 400_000_000 };
  let calls = 0;
  await page.route('**/api/v1/index', (route) => {
    calls += 1;
    return route.fulfill({ json: { index } });
  });
  const warning = page.getByRole('alert').filter({ hasText: 'The index is 76 % full' });
  const reader = await freshToken('sees no index', ['read']);
  await visit('/', reader.secret);
  await page.locator('main[aria-busy=false]').waitFor();
  expect([await warning.count(), calls]).toEqual([0, 0]);
  await visit('/', environment().adminToken);
  await warning.waitFor();
  expect(await violations(page)).toEqual([]);
});
