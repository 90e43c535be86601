import { expect, inject, test } from 'vitest';
import { type PostResult, post } from '../durable/alerts/channels/post.ts';
import { env } from './support/env.ts';
import type { ReceivedRequest } from './support/receiver-server.ts';

/** Far less than a receiver that hangs would take, and far more than one that does not. */
const HANG_MS = 200;

function postTo(path: string, options?: { timeoutMs?: number; now?: number }): Promise<PostResult> {
  return post(
    { url: `${inject('receiverUrl')}${path}`, headers: { 'Content-Type': 'application/json' }, body: '{"n":1}' },
    fetch,
    options,
  );
}

async function received(path: string): Promise<ReceivedRequest[]> {
  const response = await fetch(`${inject('receiverUrl')}/received`);
  return ((await response.json()) as ReceivedRequest[]).filter((request) => request.path === path);
}

test('a receiver gets the request as it is, and says which program sent it', async () => {
  expect(await postTo('/status/202')).toEqual({ kind: 'delivered', status: 202 });
  const [request] = await received('/status/202');
  expect(request).toMatchObject({ body: '{"n":1}', headers: { 'content-type': 'application/json' } });
  expect(request?.headers['user-agent']).toMatch(/^leash\/\d/);
});

test('a receiver that does not answer is given up', async () => {
  expect(await postTo('/hang', { timeoutMs: HANG_MS })).toEqual({ kind: 'timeout', timeoutMs: HANG_MS });
});

test('one whose response does not end has taken the request, if its status says so', async () => {
  expect(await postTo('/hang-after-headers/200')).toEqual({ kind: 'delivered', status: 200 });
  expect(await postTo('/hang-after-headers/500', { timeoutMs: HANG_MS })).toMatchObject({
    kind: 'status',
    status: 500,
    excerpt: 'the beginning',
  });
});

test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async (status) => {
  expect(await postTo(`/redirect/${status}`)).toEqual({ kind: 'redirected', status });
  expect(await received('/redirected')).toEqual([]);
});

test('an error is reported with how its response begins, in one line and without invisible characters', async () => {
  expect(await postTo('/status/500')).toEqual({
    kind: 'status',
    status: 500,
    retryAfterMs: null,
    excerpt: 'invalid payload <U+202E>',
  });
});

test('of a megabyte, at most the first 64 KiB are read', async () => {
  expect(await postTo('/megabyte/200')).toEqual({ kind: 'delivered', status: 200 });
  expect(await postTo('/megabyte/400')).toMatchObject({ status: 400, excerpt: 'begins so' });
});

test.each([
  ['30', 30_000],
  ['0', null],
  ['999999999', 3_600_000],
  ['Mon, 30 Nov 2026 00:00:30 GMT', 30_000],
  ['Mon, 30 Nov 2026 00:00:00 GMT', null],
  ['soon', null],
])('Retry-After: %s', async (value, retryAfterMs) => {
  const now = Date.parse('2026-11-30T00:00:00Z');
  expect(await postTo(`/retry-after/${encodeURIComponent(value)}`, { now })).toMatchObject({
    status: 429,
    retryAfterMs,
  });
});

test('a connection that is lost, and one that cannot be made, is no more than that', async () => {
  expect(await postTo('/drop')).toMatchObject({ kind: 'unreachable' });
  expect(await post({ url: 'http://127.0.0.1:1/', headers: {}, body: '' }, fetch)).toMatchObject({
    kind: 'unreachable',
  });
});

// A name on this machine that leads to a private address: the check of the URL can't know that.
test.each(['localhost', '127.0.0.1', '[::ffff:127.0.0.1]'])(
  'the public network does not connect to %s, whatever it is called',
  async (host) => {
    const url = new URL(`${inject('receiverUrl')}/from-public`);
    const network = env.TEST_PUBLIC_NETWORK;
    const fetchPublic = ((input, init) => network.fetch(input, init)) as typeof fetch;
    const direct = `http://${host}:${url.port}/from-public`;
    expect(await post({ url: direct, headers: {}, body: '' }, fetchPublic)).toMatchObject({ kind: 'unreachable' });
    expect(await received('/from-public')).toEqual([]);
  },
);
