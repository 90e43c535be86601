import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { createAlert, startReceiver } from './support/alerts.ts';
import { FOREVER } from './support/commands.ts';
import { useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
const browser = useBrowser(PHONE);

test('from a message on a phone, two taps kill the run of a real wrapper, and the audit log names the alert', async () => {
  const receiver = await startReceiver();
  const { channel } = receiver;
  await createAlert(environment(), { name: 'on call', jobs: 'too-slow', on: ['slow'], channel, kill_link: true });
  const flags = ['--slow-after', '1s', '--owner', 'data team'];
  const wrapper = environment().wrapper({ job: 'too-slow', command: FOREVER, flags });
  const run = await environment().runOf('too-slow');

  const message = await waitFor('the message', () => receiver.messages()[0]);
  expect(message).toMatchObject({ kind: 'slow', job: 'too-slow', run: run.id, owner: 'data team' });
  // The message may have been sent before the output was there.
  await environment().output(run.id, 'ready');

  // The first tap, on the link in the message.
  const { page } = browser;
  await page.goto(message.links.kill ?? '');
  await page.getByRole('heading', { name: 'Kill this run?' }).waitFor();
  await page.getByText('ready', { exact: true }).waitFor();
  const button = page.getByRole('button', { name: 'Kill this run' });
  const box = await button.boundingBox();
  expect(box?.height).toBeGreaterThanOrEqual(48);
  // Without scrolling, in either direction.
  expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(PHONE.viewport.height);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.viewport.width);
  expect(wrapper.isRunning).toBe(true);

  await button.tap();
  expect((await wrapper.exit).code).toBe(143);
  // It shows by itself what has become of the kill.
  await page.getByRole('heading', { name: 'This run has ended' }).waitFor();
  await page.getByText('It was killed (exit code 143).').waitFor();
  expect(await page.getByRole('button').count()).toBe(0);

  const [kill] = (await environment().operator.events(run.id)).filter(({ type }) => type === 'kill_requested');
  expect(kill).toMatchObject({ requested_by: 'alert on call' });
  const audit = await fetch(`${environment().url}/api/v1/audit?subject=too-slow`, {
    headers: { Authorization: `Bearer ${environment().adminToken}` },
  });
  expect(await audit.json()).toMatchObject({ audit: [{ action: 'kill', actor: { name: 'alert on call' } }] });
});
