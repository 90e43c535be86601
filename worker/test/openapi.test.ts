import { expect, test } from 'vitest';
import { FIELD_DESCRIPTIONS } from '#protocol/field-descriptions';
import { app } from '../src/http/app.ts';
import { KILL_LINK_PATH } from '../src/http/routes/kill-links.ts';
import { call, openApi, refusal, request } from './support/api.ts';

test('every route is in the document but the page of kill links, and nothing else', async () => {
  const documented = Object.entries((await openApi()).paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const served = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path !== KILL_LINK_PATH)
    .map(({ method, path }) => `${method} ${path}`);
  expect(documented.sort()).toEqual(served.sort());
});

test('every field of a resource is described', async () => {
  const { components } = await openApi();
  for (const name of Object.keys(FIELD_DESCRIPTIONS)) {
    const { properties } = components.schemas[name] as { properties: Record<string, { description?: string }> };
    expect(Object.keys(properties).length).toBeGreaterThan(2);
    for (const [field, { description }] of Object.entries(properties)) {
      expect([name, field, description?.endsWith('.')]).toEqual([name, field, true]);
    }
  }
});

test('a list parameter is comma-separated', async () => {
  const { paths } = await openApi();
  const listRuns = paths['/api/v1/runs']?.get as unknown as { parameters: { name: string }[] } | undefined;
  expect(listRuns?.parameters.find(({ name }) => name === 'state')).toMatchObject({
    style: 'form',
    explode: false,
    schema: { type: 'array', items: { enum: expect.arrayContaining(['running', 'lost']) } },
  });
});

test('a wrong method is refused with the allowed ones', async () => {
  const response = await request('/api/v1/runs', { method: 'POST' });
  expect(response.headers.get('Allow')).toBe('GET');
  expect(await refusal(response)).toBe('405 method_not_allowed');
});

test('an unknown or repeated parameter is refused: it may have been meant as a filter', async () => {
  const headers = { Authorization: 'Bearer the-admin-token-of-the-tests' };
  expect(await refusal(request('/api/v1/runs?stat=running', { headers }))).toBe('400 bad_request');
  expect(await refusal(request('/api/v1/runs?state=running&state=lost', { headers }))).toBe('400 bad_request');
  const detail = await problemDetail(request('/api/v1/jobs?state=running', { headers }));
  expect(detail).toBe('Unknown query parameter `state`; allowed: `tag`, `limit`, `cursor`');
});

test.each([
  ['/tokens', {}, 'body: name: is required'],
  [
    '/tokens',
    { name: 'x', scopes: ['write'] },
    'body: scopes.0: must be one of "run", "saltpeter", "read", "kill", "admin", not "write"',
  ],
  ['/tokens', { name: 'x', scopes: ['run'], job: '*' }, 'body: job: unknown field'],
  ['/tokens', { name: 'ops\u202Edaer', scopes: ['run'] }, /^body: name: must not contain invisible/],
  ['/tokens', { name: 'back\u200Bup', scopes: ['run'] }, /^body: name: must not contain invisible/],
  ['/jobs/any/kill', { signal: 'KILL' }, /^body: signal: must be one of "SIGTERM", .*, not "KILL"$/],
])('an invalid body is refused with the reason: %s %o', async (path, body, detail) => {
  expect(await problemDetail(call('POST', path, { body }))).toMatch(detail);
});

async function problemDetail(response: Response | Promise<Response>): Promise<string> {
  return (await (await response).json<{ detail: string }>()).detail;
}
