import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v from 'valibot';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type ApiCall, ApiClient } from '../../../src/operator/api-client.ts';
import { EXIT } from '../../../src/operator/exit-codes.ts';
import { ApiError } from '../../../src/operator/operator-error.ts';

async function clientOf(listener: RequestListener): Promise<{ api: ApiClient; waits: string[] }> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const waits: string[] = [];
  const api = new ApiClient({
    settings: {
      url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base`),
      token: { kind: 'value', token: 'secret' },
      tokenFrom: '$LEASH_TOKEN',
      caFile: null,
      proxyEnv: {},
    },
    version: '1.2.3',
    onWait: (line) => waits.push(line),
  });
  onTestFinished(() => {
    api.close();
    server.closeAllConnections();
    server.close();
  });
  return { api, waits };
}

/** Sends each of these in turn, then the last one for ever. */
function answers(
  ...all: { status: number; body?: unknown; headers?: Record<string, string> }[]
): RequestListener & { count: number } {
  const listener: RequestListener = (_request, response) => {
    const { status, body = {}, headers = {} } = all[Math.min(handler.count, all.length - 1)] ?? { status: 500 };
    handler.count += 1;
    response.writeHead(status, headers);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const handler = Object.assign(listener, { count: 0 });
  return handler;
}

const problem = (status: number, code: string, detail: string, more = {}) => ({
  status,
  body: { type: 'about:blank', title: code, status, code, detail, ...more },
});

const Thing = v.object({ name: v.string() });
const CALL: ApiCall = { path: '/things' };

async function errorOf(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${error}`);
  return error;
}

test('a call has the token, and its result what is known and what was sent', async () => {
  const { api } = await clientOf((request, response) => {
    expect(request.headers.authorization).toBe('Bearer secret');
    response.end(JSON.stringify({ thing: { name: request.url, newer: 1 } }));
  });
  const thing = await api.get(Thing, 'thing', { path: '/things', query: { a: 'x y', b: null, c: '' } });
  expect(thing.value).toEqual({ name: '/base/api/v1/things?a=x+y' });
  expect(thing.raw).toEqual({ name: '/base/api/v1/things?a=x+y', newer: 1 });
});

test('a list is read page by page, no further than is asked for', async () => {
  const asked: string[] = [];
  const { api } = await clientOf((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    asked.push(`${query.get('limit')} ${query.get('cursor')}`);
    const page = Number(query.get('cursor') ?? 0);
    response.end(
      JSON.stringify({
        things: [{ name: `a${page}` }, { name: `b${page}` }],
        next_cursor: page < 2 ? String(page + 1) : null,
      }),
    );
  });
  const names: string[] = [];
  for await (const { value } of api.list(Thing, 'things', CALL, 2)) names.push(value.name);
  expect(names).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
  expect(asked).toEqual(['2 null', '2 1', '2 2']);
  for await (const _ of api.list(Thing, 'things', CALL)) break;
  expect(asked).toHaveLength(4);
});

test.each([
  [
    problem(401, 'unauthenticated', 'Unknown token.'),
    EXIT.notAllowed,
    'Unknown token. The token is from $LEASH_TOKEN. Sign in',
  ],
  [
    problem(403, 'forbidden', 'The token lacks the scope read.'),
    EXIT.notAllowed,
    'lacks the scope read. The token is from',
  ],
  [problem(404, 'unknown_job', 'Job x has no runs.'), EXIT.notFound, 'Job x has no runs.'],
  [problem(409, 'run_ambiguous', 'Several jobs have it'), EXIT.failed, 'Several jobs have it.'],
  [problem(500, 'internal', 'Failed.', { request_id: 'R1' }), EXIT.failed, 'Failed. Request: R1.'],
  [{ status: 404, body: '<html>' }, EXIT.notFound, "doesn't look like a Leash control plane"],
  [{ status: 502, body: '<html>' }, EXIT.outOfReach, 'status 502'],
  [
    { status: 302, headers: { Location: 'https://login.example.com' } },
    EXIT.failed,
    'redirects to https://login.example.com',
  ],
  [{ status: 200, body: 'not json' }, EXIT.failed, "doesn't understand"],
  [{ status: 200, body: { name: 1 } }, EXIT.failed, 'name: '],
])('%j ends with %i', async (answer, exitCode, message) => {
  const { api } = await clientOf(answers(answer));
  const error = await errorOf(api.call(Thing, CALL));
  expect(error.message).toContain(message);
  expect(error.exitCode).toBe(exitCode);
});

test('nobody there: out of reach', async () => {
  const { api } = await clientOf(() => {});
  const settings = { ...api.settings, url: new URL('http://127.0.0.1:1') };
  const error = await errorOf(new ApiClient({ settings, version: '1' }).call(Thing, CALL));
  expect(error.exitCode).toBe(EXIT.outOfReach);
  expect(error.message).toMatch(/^Can't reach 127\.0\.0\.1:1: /);
});

test('a control plane that is busy is asked again when it says, but not for ever', async () => {
  const busy = { ...problem(503, 'unavailable', 'Try again.'), headers: { 'Retry-After': '0' } };
  const handler = answers(busy, busy, { status: 200, body: { name: 'x' } });
  const { api, waits } = await clientOf(handler);
  expect((await api.call(Thing, CALL)).value).toEqual({ name: 'x' });
  expect(handler.count).toBe(3);
  // There is a pause, whatever it says.
  expect(waits).toHaveLength(2);

  const long = await clientOf(answers({ ...busy, headers: { 'Retry-After': '3600' } }));
  expect((await errorOf(long.api.call(Thing, CALL))).exitCode).toBe(EXIT.outOfReach);
  expect(long.waits).toEqual([]);
});

test('what could be done twice is not repeated, unless it has a key', async () => {
  const busy = { ...problem(503, 'unavailable', 'Try again.'), headers: { 'Retry-After': '0' } };
  const handler = answers(busy, { status: 200, body: { name: 'x' } });
  const { api } = await clientOf(handler);
  await errorOf(api.call(Thing, { ...CALL, method: 'POST' }));
  expect(handler.count).toBe(1);
  handler.count = 0;
  await api.call(Thing, { ...CALL, method: 'POST', headers: { 'Idempotency-Key': 'k' } });
  expect(handler.count).toBe(2);
});

test('this machine’s clock may be wrong: ages are by the control plane’s', async () => {
  const { api } = await clientOf(
    answers({ status: 200, body: { name: 'x' }, headers: { Date: 'Mon, 30 Nov 2026 12:00:00 GMT' } }),
  );
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-30T11:00:00Z') });
  onTestFinished(() => void vi.useRealTimers());
  expect(api.now()).toBe(Date.now());
  await api.call(Thing, CALL);
  expect(api.now()).toBe(Date.parse('2026-11-30T12:00:00Z'));
});
