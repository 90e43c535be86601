import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { WAIT_LIMIT_MS } from '#testing/patience';
import { waitFor } from '#testing/wait-for';
import { sharedBrowser } from './support/shared-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

/** A page signed in with a token, in a browser of its own. */
async function pageOf(secret: string): Promise<Page> {
  const context = await (await sharedBrowser()).newContext();
  onTestFinished(() => context.close());
  context.setDefaultTimeout(WAIT_LIMIT_MS);
  const page = await context.newPage();
  await page.goto(`${environment().url}/#token=${secret}`);
  await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
  return page;
}

test('a wrapper whose token is revoked loses its link at once; its command runs on, and its exit code passes', async () => {
  const { token, secret } = await environment().admin.createToken({ name: 'stolen', scopes: ['run'] });
  const command = ['sh', '-c', 'echo ready; while [ ! -e over ]; do sleep 0.1; done; exit 7'];
  const flags = ['--cwd', environment().directory];
  const wrapper = environment().wrapper({ job: 'revoked', command, token: secret, flags });
  const run = await environment().runOf('revoked', ({ connected }) => connected);
  await environment().output(run.id, 'ready');

  expect((await environment().admin.request('DELETE', `/tokens/${token.id}`)).status).toBe(204);

  expect(await environment().operator.run(run.id)).toMatchObject({ connected: false });
  await waitFor('the wrapper to say why it is not supervised', () =>
    wrapper.printed.includes('the token is missing, wrong or expired (401)'),
  );
  expect(wrapper.isRunning).toBe(true);
  await writeFile(join(environment().directory, 'over'), '');
  expect((await wrapper.exit).code).toBe(7);
});

test('a page whose token is revoked lands on its sign-in, and one of another token continues', async () => {
  const { token, secret } = await environment().admin.createToken({ name: 'left', scopes: ['read'] });
  const [theirs, ours] = [await pageOf(secret), await pageOf(environment().operatorToken)];
  expect((await environment().admin.request('DELETE', `/tokens/${token.id}`)).status).toBe(204);
  await theirs.getByRole('button', { name: 'Sign in' }).waitFor();
  expect(await ours.getByRole('heading', { name: 'Runs', exact: true }).isVisible()).toBe(true);
});

test('two pages of one token: signing out on one leaves the other', async () => {
  const { secret } = await environment().admin.createToken({ name: 'two pages', scopes: ['read'] });
  const [one, other] = [await pageOf(secret), await pageOf(secret)];
  await one.getByRole('button', { name: 'Sign out' }).click();
  await one.getByRole('button', { name: 'Sign in' }).waitFor();
  await other.reload();
  await other.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
});
