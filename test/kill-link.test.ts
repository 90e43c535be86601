import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { expect, onTestFinished, test } from 'vitest';
import { AlertBody, WebhookBody } from '#protocol/alerts';
import { waitFor } from '#testing/wait-for';
import { FOREVER } from './support/commands.ts';
import { useBrowser } from './support/use-browser.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();
const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
const browser = useBrowser(PHONE);

const SECRET = 'between us';

interface Received {
  readonly signature: string;
  readonly body: string;
}

/** A receiver on loopback. @returns where it is, and what it has received */
async function startReceiver(): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      received.push({ signature: String(request.headers['leash-signature']), body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received };
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return body;
}

async function createAlert(alert: Readonly<Record<string, unknown>>): Promise<void> {
  const call = (method: string, path: string, body?: unknown) =>
    fetch(`${environment().url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${environment().adminToken}`, 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const response = await call('POST', '/alerts', alert);
  expect(response.status, await response.clone().text()).toBe(201);
  const { alert: created } = v.parse(AlertBody, await response.json());
  // The control plane is shared.
  onTestFinished(async () => {
    await call('DELETE', `/alerts/${created.id}`);
  });
}

test('from a message on a phone, two taps kill the run of a real wrapper, and the audit log names the alert', async () => {
  const { url, received } = await startReceiver();
  const channel = { kind: 'webhook', url, secret: SECRET };
  await createAlert({ name: 'on call', jobs: 'too-slow', on: ['slow'], channel, kill_link: true });
  const flags = ['--slow-after', '1s', '--owner', 'data team'];
  const wrapper = environment().wrapper({ job: 'too-slow', command: FOREVER, flags });
  const run = await environment().runOf('too-slow');

  const { signature, body } = await waitFor('the message', () => received[0]);
  const [, t = '', v1 = ''] = /^t=(\d+),v1=(\w+)$/.exec(signature) ?? [];
  expect(v1).toBe(createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex'));
  const message = v.parse(WebhookBody, JSON.parse(body));
  expect(message).toMatchObject({ kind: 'slow', job: 'too-slow', run: run.id, owner: 'data team', tail: 'ready' });

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
