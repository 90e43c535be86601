/** What every answer carries, whatever was called and whatever came of it. */
import { ulid } from 'ulid';
import { beforeAll, expect, test } from 'vitest';
import { isSocket } from '../src/http/operation.ts';
import { API_OPERATIONS, BASE, ROOT_OPERATIONS } from '../src/http/operations.ts';
import { request } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const ADMIN = { Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}` };
const WATCH = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.watch.v1' };

const who = newIdentity('headers');
const OPERATIONS = [
  ...API_OPERATIONS.map((operation) => ({ id: operation.id, operation, at: BASE + operation.path })),
  ...ROOT_OPERATIONS.map((operation) => ({ id: operation.id, operation, at: operation.path as string })),
];

beforeAll(async () => {
  await TestWrapper.connect(who);
  await indexed(who.run);
});

function cachingOf({ headers }: Response) {
  return [headers.get('Cache-Control'), headers.get('X-Content-Type-Options')];
}

test.each(OPERATIONS)('$id is kept by no cache, and taken for nothing but what it says', async ({ operation, at }) => {
  const path = at.replace('{job}', who.job).replace('{run}', who.run).replace('{id}', ulid());
  const method = operation.method.toUpperCase();
  for (const headers of [{}, ADMIN, { ...ADMIN, Origin: 'https://evil.test' }]) {
    // Without an upgrade: the answer of a WebSocket is none that is kept.
    const response = await request(path, { method, headers });
    expect([response.status, ...cachingOf(response)]).toEqual([response.status, 'no-store', 'nosniff']);
    if (isSocket(operation)) expect(response.status).not.toBe(101);
  }
});

test.each([
  ['GET', `${BASE}/nothing-here`],
  ['PUT', `${BASE}/jobs`],
  ['GET', '/nothing-here'],
])('so are refusals of what there is not: %s %s', async (method, path) => {
  const response = await request(path, { method, headers: ADMIN });
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(cachingOf(response)).toEqual(['no-store', 'nosniff']);
});

test('the headers of an upgrade are unchanged', async () => {
  expect((await request(`${BASE}/watch`, { headers: { ...ADMIN, ...WATCH } })).status).toBe(101);
});
