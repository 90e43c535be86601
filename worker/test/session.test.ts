import { describe, expect, test, vi } from 'vitest';
import { newToken, ORIGIN, refusal, request } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const JSON_FROM_PAGE = { 'Content-Type': 'application/json', Origin: ORIGIN };

async function signIn(token: string): Promise<{ response: Response; cookie: string }> {
  const response = await request('/api/v1/session', {
    method: 'POST',
    headers: JSON_FROM_PAGE,
    body: JSON.stringify({ token }),
  });
  return { response, cookie: response.headers.get('Set-Cookie')?.split(';')[0] ?? '' };
}

describe('a dashboard session', () => {
  useFakeDate();

  test('is a cookie that scripts cannot read, and its resource says what it may do', async () => {
    const { secret } = await newToken({ name: 'ops', scopes: ['read', 'kill'], jobs: 'web-*' });
    const { response, cookie } = await signIn(secret);
    expect(await response.json()).toEqual({
      session: { name: 'ops', scopes: ['read', 'kill'], jobs: 'web-*', machines: '*', expires_at: null },
    });
    expect(response.headers.get('Set-Cookie')).toMatch(/^__Host-leash=/);
    for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/']) {
      expect(response.headers.get('Set-Cookie')).toContain(attribute);
    }
    expect((await request('/api/v1/jobs', { headers: { Cookie: cookie } })).status).toBe(200);
    expect(await refusal(request('/api/v1/tokens', { headers: { Cookie: cookie } }))).toBe('403 forbidden');
  });

  test('has a cookie without Secure only on loopback, which has no HTTPS', async () => {
    const { exports } = await import('cloudflare:workers');
    const origin = 'http://127.0.0.1:8787';
    const response = await exports.default.fetch(`${origin}/api/v1/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: origin },
      body: JSON.stringify({ token: env.LEASH_ADMIN_TOKEN }),
    });
    expect(response.headers.get('Set-Cookie')).toMatch(/^leash=/);
    expect(response.headers.get('Set-Cookie')).not.toContain('Secure');
  });

  test('changes nothing, and opens no socket, for another origin', async () => {
    const who = newIdentity('csrf');
    await TestWrapper.connect(who);
    const { cookie } = await signIn(env.LEASH_ADMIN_TOKEN);
    const foreign = { Cookie: cookie, Origin: 'https://evil.test', 'Content-Type': 'application/json' };
    const kill = request('/api/v1/jobs/csrf/kill', { method: 'POST', headers: foreign, body: '{}' });
    expect(await refusal(kill)).toBe('403 wrong_origin');
    const upgrade = { ...foreign, Upgrade: 'websocket', 'Sec-WebSocket-Protocol': 'leash.watch.v1' };
    expect(await refusal(request('/api/v1/watch', { headers: upgrade }))).toBe('403 wrong_origin');
    expect(await refusal(request('/api/v1/jobs/csrf/watch', { headers: upgrade }))).toBe('403 wrong_origin');
    const own = { ...foreign, Origin: ORIGIN };
    expect((await request('/api/v1/jobs/csrf/kill', { method: 'POST', headers: own, body: '{}' })).status).toBe(202);
  });

  test('ends on signing out', async () => {
    const { cookie } = await signIn(env.LEASH_ADMIN_TOKEN);
    const out = await request('/api/v1/session', { method: 'DELETE', headers: { Cookie: cookie, Origin: ORIGIN } });
    expect(out.status).toBe(204);
    expect(out.headers.get('Set-Cookie')).toContain('Max-Age=0');
    expect(await refusal(request('/api/v1/session', { headers: { Cookie: cookie } }))).toBe('401 unauthenticated');
  });

  test('ends with its token', async () => {
    const { secret, token } = await newToken({ name: 'gone-soon', scopes: ['read'] });
    const { cookie } = await signIn(secret);
    await env.DB.prepare('DELETE FROM tokens WHERE id = ?').bind(token.id).run();
    expect(await refusal(request('/api/v1/jobs', { headers: { Cookie: cookie } }))).toBe('401 unauthenticated');
  });

  test('expires', async () => {
    const { cookie } = await signIn(env.LEASH_ADMIN_TOKEN);
    vi.setSystemTime(Date.now() + 12 * 3_600_000 + 1);
    expect(await refusal(request('/api/v1/jobs', { headers: { Cookie: cookie } }))).toBe('401 unauthenticated');
  });

  test('creates and deletes no token, and does not end, for another origin', async () => {
    const { cookie } = await signIn(env.LEASH_ADMIN_TOKEN);
    const headers = { Cookie: cookie, Origin: 'https://evil.test', 'Content-Type': 'application/json' };
    const { token } = await newToken({ name: 'stays', scopes: ['read'] });
    const body = JSON.stringify({ name: 'evil', scopes: ['admin'] });
    expect(await refusal(request('/api/v1/tokens', { method: 'POST', headers, body }))).toBe('403 wrong_origin');
    const deletion = request(`/api/v1/tokens/${token.id}`, { method: 'DELETE', headers });
    expect(await refusal(deletion)).toBe('403 wrong_origin');
    expect(await refusal(request('/api/v1/session', { method: 'DELETE', headers }))).toBe('403 wrong_origin');
  });

  test('is not opened with a wrong token or from another origin', async () => {
    expect(await refusal((await signIn('leash_wrong')).response)).toBe('401 unauthenticated');
    const foreign = request('/api/v1/session', {
      method: 'POST',
      headers: { ...JSON_FROM_PAGE, Origin: 'https://evil.test' },
      body: JSON.stringify({ token: env.LEASH_ADMIN_TOKEN }),
    });
    expect(await refusal(foreign)).toBe('403 wrong_origin');
  });
});
