import { expect, test } from 'vitest';
import { app } from '../src/http/app.ts';
import { call, openApi, refusal, request } from './support/api.ts';

test('every route is in the document, and nothing else', async () => {
  const documented = Object.entries((await openApi()).paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const served = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`);
  expect(documented.sort()).toEqual(served.sort());
});

test('every field of a run, a kill and a target is described', async () => {
  const { components } = await openApi();
  for (const name of ['Run', 'Kill', 'Target']) {
    const { properties } = components.schemas[name] as { properties: Record<string, { description?: string }> };
    expect(Object.keys(properties).length).toBeGreaterThan(4);
    for (const [field, { description }] of Object.entries(properties)) {
      expect([name, field, description?.endsWith('.')]).toEqual([name, field, true]);
    }
  }
});

test('a parameter of which several may be given says how', async () => {
  const { paths } = await openApi();
  const listRuns = paths['/api/v1/runs']?.get as unknown as { parameters: { name: string }[] } | undefined;
  expect(listRuns?.parameters.find(({ name }) => name === 'state')).toMatchObject({
    style: 'form',
    explode: false,
    schema: { type: 'array', items: { enum: expect.arrayContaining(['running', 'lost']) } },
  });
});

test('another method than those of a route is told which to use', async () => {
  const response = await request('/api/v1/runs', { method: 'POST' });
  expect(response.headers.get('Allow')).toBe('GET');
  expect(await refusal(response)).toBe('405 method_not_allowed');
});

test('a parameter that does not exist, or stands twice, is refused: it may have been meant to narrow a list', async () => {
  const headers = { Authorization: 'Bearer the-admin-token-of-the-tests' };
  expect(await refusal(request('/api/v1/runs?stat=running', { headers }))).toBe('400 bad_request');
  expect(await refusal(request('/api/v1/runs?state=running&state=lost', { headers }))).toBe('400 bad_request');
  const detail = await problemDetail(request('/api/v1/jobs?state=running', { headers }));
  expect(detail).toBe('state: there is no such parameter; there are limit, cursor');
});

test.each([
  ['/tokens', {}, 'body: name: it is missing'],
  ['/tokens', { name: 'x', scopes: ['write'] }, 'body: scopes.0: one of "run", "read", "kill", "admin", not "write"'],
  ['/tokens', { name: 'x', scopes: ['run'], job: '*' }, 'body: job: there is no such field'],
  ['/tokens', { name: 'ops\u202Edaer', scopes: ['run'] }, /^body: name: no characters that cannot be seen/],
  ['/tokens', { name: 'back\u200Bup', scopes: ['run'] }, /^body: name: no characters that cannot be seen/],
  ['/jobs/any/kill', { signal: 'KILL' }, /^body: signal: one of "SIGTERM", .*, not "KILL"$/],
])('a body that is wrong is told what is wrong with it: %s %o', async (path, body, detail) => {
  expect(await problemDetail(call('POST', path, { body }))).toMatch(detail);
});

async function problemDetail(response: Response | Promise<Response>): Promise<string> {
  return (await (await response).json<{ detail: string }>()).detail;
}
