/** Alerts of a test, and a receiver of their messages. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { expect, onTestFinished } from 'vitest';
import { type Alert, AlertBody, WebhookBody } from '#protocol/alerts';
import type { TestEnvironment } from './test-environment.ts';

const SECRET = 'between us';

interface Receiver {
  readonly channel: { readonly kind: 'webhook'; readonly url: string; readonly secret: string };
  /** What it has received, each with a valid signature. */
  messages(): WebhookBody[];
  /** From now on it answers with this status. */
  answer(status: number): void;
}

/** A receiver on loopback, until the end of the test. */
export async function startReceiver(): Promise<Receiver> {
  const received: { signature: string; body: string }[] = [];
  let status = 204;
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      received.push({ signature: String(request.headers['leash-signature']), body });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    channel: { kind: 'webhook', url, secret: SECRET },
    messages: () => received.map(({ signature, body }) => verified(signature, body)),
    answer: (next) => {
      status = next;
    },
  };
}

function verified(signature: string, body: string): WebhookBody {
  const [, t = '', v1 = ''] = /^t=(\d+),v1=(\w+)$/.exec(signature) ?? [];
  expect(v1).toBe(createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex'));
  return v.parse(WebhookBody, JSON.parse(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return body;
}

/** Creates an alert, until the end of the test: the control plane is shared. @returns what reads it again */
export async function createAlert(
  environment: TestEnvironment,
  alert: Readonly<Record<string, unknown>>,
): Promise<() => Promise<Alert>> {
  const call = (method: string, path: string, body?: unknown) =>
    fetch(`${environment.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${environment.adminToken}`, 'Content-Type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const response = await call('POST', '/alerts', alert);
  expect(response.status, await response.clone().text()).toBe(201);
  const { id } = v.parse(AlertBody, await response.json()).alert;
  onTestFinished(async () => {
    await call('DELETE', `/alerts/${id}`);
  });
  return async () => v.parse(AlertBody, await (await call('GET', `/alerts/${id}`)).json()).alert;
}
