import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { call, newToken, request } from './support/api.ts';

let lines: string[] = [];

beforeEach(() => {
  lines = [];
  for (const level of ['log', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => void lines.push(line));
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The lines about a request, by the id in its answer. */
function linesOf(response: Response): unknown[] {
  const id = response.headers.get('Leash-Request-Id') ?? '';
  return lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
}

test('a request has one line, with the route and the token', async () => {
  const { token, secret } = await newToken({ name: 'logged', scopes: ['read'] });
  const response = await call('GET', '/jobs?limit=7', { token: secret });
  expect(linesOf(response)).toEqual([
    {
      level: 'info',
      event: 'request',
      request: response.headers.get('Leash-Request-Id'),
      method: 'GET',
      path: '/api/v1/jobs',
      status: 200,
      ms: expect.any(Number),
      token: token.id,
    },
  ]);
  expect(lines.join()).not.toContain(secret);
});

test('an error is logged with its code and reason, in the same line', async () => {
  const response = await call('GET', '/jobs/log-never-seen', { headers: { 'CF-Ray': '8f-FRA' } });
  expect(linesOf(response)).toMatchObject([
    { level: 'warn', event: 'request', path: '/api/v1/jobs/{job}', status: 404, code: 'unknown_job', ray: '8f-FRA' },
  ]);
});

test('a wrong token is not logged, and an unknown path is truncated', async () => {
  await call('GET', '/jobs', { token: 'leash_a-secret-with-a-typing-error' });
  const response = await request(`/api/${'x'.repeat(1_000)}`);
  expect(lines.join()).not.toContain('typing-error');
  const [line] = linesOf(response) as { path: string }[];
  expect(line?.path.length).toBe(200);
});

test('a successful health check is not logged', async () => {
  const response = await request('/healthz');
  expect(response.headers.get('Leash-Request-Id')).toMatch(/^[0-9A-Z]{26}$/);
  expect(linesOf(response)).toEqual([]);
});

test('the request id is ours, whatever the client sends, and problem details have the same one', async () => {
  const sent = '01M82PTB40WMEYKY30XERGEN0N';
  const headers = { 'Leash-Request-Id': sent, 'X-Request-Id': sent };
  const [first, second] = await Promise.all([
    call('GET', '/runs?state=x', { headers }),
    call('GET', '/jobs', { headers }),
  ]);
  const ids = [first, second].map((response) => response.headers.get('Leash-Request-Id'));
  expect(new Set([...ids, sent]).size).toBe(3);
  expect((await first.json<{ request_id: string }>()).request_id).toBe(ids[0]);
});

test('a token that is sent as the whole body of a sign-in is neither returned nor logged', async () => {
  const secret = 'leash_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG000000';
  const response = await request('/api/v1/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(secret),
  });
  expect(response.status).toBe(400);
  expect(await response.text()).not.toContain(secret);
  expect(linesOf(response)).toHaveLength(1);
  expect(lines.join()).not.toContain(secret);
});

test('direction overrides are escaped in log lines', async () => {
  const response = await call('POST', '/jobs/any/kill', { body: { signal: 'SIG\u202EMRET' } });
  expect(response.status).toBe(400);
  expect(linesOf(response)[0]).toMatchObject({ detail: expect.stringContaining('SIG<U+202E>MRET') });
});
