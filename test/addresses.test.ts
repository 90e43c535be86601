/** What is answered at which address: the page at its own, files where they are, and 404 everywhere else. */
import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { expect, test } from 'vitest';
import { PAGE_PATHS } from '#protocol/page-paths';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

/** Headers of every answer that is the page, as `_headers` has them. */
const GUARDS = ['content-security-policy', 'x-content-type-options', 'referrer-policy', 'x-frame-options'];

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(environment().url + path, { redirect: 'manual', ...init });
}

const addresses = Object.values(PAGE_PATHS).map((path) => path.replace(/\{\w+\}/, 'nightly.backup'));

test.each(addresses)('%s is the page, with all that guards it', async (path) => {
  const root = await ask('/', { headers: BROWSER });
  const html = await root.text();
  expect(html).toContain('<script type="module"');
  for (const at of [path, `${path.replace(/\/$/, '')}/`, `${path}?state=running`]) {
    const response = await ask(at, { headers: BROWSER });
    expect([at, response.status, await response.text()]).toEqual([at, 200, html]);
    for (const name of [...GUARDS, 'etag', 'content-type']) {
      expect([name, response.headers.get(name)]).toEqual([name, root.headers.get(name)]);
      expect(response.headers.get(name)).not.toBeNull();
    }
    const head = await ask(at, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(head.headers.get('content-security-policy')).toBe(root.headers.get('content-security-policy'));
    const unchanged = await ask(at, { headers: { 'if-none-match': root.headers.get('etag') ?? '' } });
    expect(unchanged.status).toBe(304);
  }
});

test.each(['/leash.cjs', '/leash.cjs.sha256', '/favicon.svg', '/'])(
  '%s is a file, and costs no call of the Worker',
  async (path) => {
    const response = await ask(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).not.toBeNull();
    expect(response.headers.get('leash-request-id')).toBeNull();
  },
);

test('/install.sh has the address under which it was asked for, and no other', async () => {
  const originIn = async (headers: Record<string, string>) => {
    const response = await rawGet('/install.sh', headers);
    return response.status === 200 ? /^origin='(.*)'$/m.exec(response.text)?.[1] : response.status;
  };
  expect(await originIn({})).toBe(environment().url);
  expect(await originIn({ host: 'leash.example.com' })).toBe('http://leash.example.com');
  // Behind a proxy that ends TLS.
  expect(await originIn({ host: 'leash.example.com', 'x-forwarded-proto': 'https' })).toBe('https://leash.example.com');
  // No host may end the quotes that it is put between. (The local runtime refuses such a host itself.)
  expect(await originIn({ host: "a'$(id)'" })).toBeGreaterThanOrEqual(400);
});

test('the digest is that of the program', async () => {
  const program = new Uint8Array(await (await ask('/leash.cjs')).arrayBuffer());
  const digest = createHash('sha256').update(program).digest('hex');
  expect(await (await ask('/leash.cjs.sha256')).text()).toBe(`${digest}  leash.cjs\n`);
});

/** `fetch` lets nobody set a Host. */
function rawGet(path: string, headers: Record<string, string>): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    get(environment().url + path, { headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    }).once('error', reject);
  });
}

test.each(['/assets/gone.js', '/leash.mjs', '/jobs', '/jobs/a/b', '/audit/x', '/Timeline'])(
  '%s is unknown: a browser gets a page that says so, a program a problem',
  async (path) => {
    const shown = await ask(path, { headers: BROWSER });
    expect(shown.status).toBe(404);
    expect(shown.headers.get('content-type')).toContain('text/html');
    expect(shown.headers.get('content-security-policy')).not.toBeNull();
    expect(await shown.text()).toContain('<script type="module"');
    const etag = shown.headers.get('etag') ?? '';
    expect((await ask(path, { headers: { ...BROWSER, 'if-none-match': etag } })).status).toBe(404);

    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      const told = await ask(path, { headers });
      expect(told.headers.get('content-type')).toBe('application/problem+json');
      expect(await told.json()).toMatchObject({ status: 404, code: 'not_found' });
    }
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  },
);

test('an unknown path of the API answers with a problem, to browsers too', async () => {
  const response = await ask('/api/v1/jobz', { headers: BROWSER });
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ status: 404, code: 'not_found' });
});

test('the page is looked at, not sent to', async () => {
  expect((await ask('/timeline', { method: 'POST', headers: BROWSER, body: 'x' })).status).toBe(404);
});
