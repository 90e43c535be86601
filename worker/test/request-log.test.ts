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

test('a request has one line: the path without what was filled in, and who called', async () => {
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

test('a refusal is told with its code and reason, in the same one line', async () => {
  const response = await call('GET', '/jobs/log-never-seen', { headers: { 'CF-Ray': '8f-FRA' } });
  expect(linesOf(response)).toMatchObject([
    { level: 'warn', event: 'request', path: '/api/v1/jobs/{job}', status: 404, code: 'unknown_job', ray: '8f-FRA' },
  ]);
});

test('a token that is wrong is not logged, and a path that is none of ours is cut', async () => {
  await call('GET', '/jobs', { token: 'leash_a-secret-with-a-typing-error' });
  const response = await request(`/api/${'x'.repeat(1_000)}`);
  expect(lines.join()).not.toContain('typing-error');
  const [line] = linesOf(response) as { path: string }[];
  expect(line?.path.length).toBe(200);
});

test('a look at the health is no news', async () => {
  const response = await request('/healthz');
  expect(response.headers.get('Leash-Request-Id')).toMatch(/^[0-9A-Z]{26}$/);
  expect(linesOf(response)).toEqual([]);
});

test('the id is ours, whatever the client sends, and a problem names the same one', async () => {
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

test('a token that is sent as the whole body of a sign-in is neither answered nor logged', async () => {
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

test('what turns the direction of text is shown in a line, not obeyed', async () => {
  const response = await call('POST', '/jobs/any/kill', { body: { signal: 'SIG\u202EMRET' } });
  expect(response.status).toBe(400);
  expect(linesOf(response)[0]).toMatchObject({ detail: expect.stringContaining('SIG<U+202E>MRET') });
});
