import { crc32 } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import type { Token } from '#protocol/api';
import { MAX_OLD_SECRET_SECONDS } from '#protocol/limits';
import { waitFor } from '#testing/wait-for';
import { sha256 } from '../shared/hash.ts';
import { resolveToken } from '../src/http/authentication.ts';
import { newSecret } from '../src/http/secret.ts';
import { call, newToken, ORIGIN, refusal, request, signedIn } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';

describe('a secret', () => {
  test('is recognised by its form and its checksum, as in docs/security.md', () => {
    const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    for (let count = 0; count < 200; count++) {
      const secret = newSecret();
      expect(secret).toMatch(/^leash_[0-9A-Za-z]{49}$/);
      const [random, checksum] = [secret.slice(6, 49), secret.slice(49)];
      const value = [...checksum].reduce((sum, digit) => sum * 62 + digits.indexOf(digit), 0);
      expect(value).toBe(crc32(random));
    }
  });

  test('of the deployment that is too short is not accepted', async () => {
    const resolve = (secret: string) => resolveToken({ ...env, LEASH_ADMIN_TOKEN: secret }, sha256(secret), Date.now());
    await expect(resolve('x'.repeat(23))).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(resolve('')).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await resolve('x'.repeat(24))).toMatchObject({ scopes: ['admin'] });
  });

  test('that was replaced is valid for at most a month', async () => {
    const { token } = await newToken({ name: 'bounds', scopes: ['read'] });
    for (const old_valid_seconds of [-1, 0.5, MAX_OLD_SECRET_SECONDS + 1, '1h']) {
      const rotation = call('POST', `/tokens/${token.id}/rotate`, { body: { old_valid_seconds } });
      expect(await refusal(rotation)).toBe('400 bad_request');
    }
  });
});

describe('the last use of a token', () => {
  useFakeDate();

  const lastUse = async (id: string) => {
    const { tokens } = await (await call('GET', '/tokens?limit=500')).json<{ tokens: Token[] }>();
    return tokens.find((token) => token.id === id)?.last_used_at ?? null;
  };

  test('is recorded with one write in ten minutes', async () => {
    const { token, secret } = await newToken({ name: 'used', scopes: ['read'] });
    expect(await lastUse(token.id)).toBeNull();
    await call('GET', '/jobs', { token: secret });
    const first = await waitFor('the use to be noted', () => lastUse(token.id));
    vi.setSystemTime(Date.now() + 599_000);
    await call('GET', '/jobs', { token: secret });
    const marker = await newToken({ name: 'used later', scopes: ['read'] });
    await call('GET', '/jobs', { token: marker.secret });
    await waitFor('a later use to be noted', () => lastUse(marker.token.id));
    expect(await lastUse(token.id)).toBe(first);
    vi.setSystemTime(Date.now() + 2_000);
    await call('GET', '/jobs', { token: secret });
    await waitFor('the later use to be noted', async () => (await lastUse(token.id)) !== first);
  });

  test('includes its use by a dashboard session', async () => {
    const { token, secret } = await newToken({ name: 'page', scopes: ['read'] });
    await request('/api/v1/session', { headers: await signedIn(secret) });
    await waitFor('the use to be noted', () => lastUse(token.id));
  });
});

describe('too many', () => {
  /**
   * How many attempts are answered as usual before one is told to wait. The runtime counts by the minute on the clock: when
   * that turns over meanwhile, up to twice as many.
   */
  async function untilSlowed(limit: number, usual: string, attempt: () => Promise<Response>): Promise<void> {
    for (let count = 0; count <= 2 * limit; count++) {
      const response = await attempt();
      const outcome = await refusal(response);
      if (outcome === usual) continue;
      expect(outcome).toBe('429 rate_limited');
      expect(response.headers.get('Retry-After')).toBe('60');
      expect(count).toBeGreaterThanOrEqual(limit);
      return;
    }
    throw new Error(`not slowed down after ${2 * limit} attempts`);
  }

  async function neverSlowed(usual: string, attempt: () => Promise<Response>): Promise<void> {
    for (let count = 0; count < 70; count++) expect(await refusal(attempt())).toBe(usual);
  }

  test('failed calls from one address are rate limited, but not a valid token from there', async () => {
    const headers = { 'CF-Connecting-IP': '203.0.113.1' };
    const wrong = () => call('GET', '/jobs', { token: 'leash_wrong', headers });
    await untilSlowed(30, '401 unauthenticated', wrong);
    const { secret } = await newToken({ name: 'neighbour', scopes: ['read'] });
    expect((await call('GET', '/jobs', { token: secret, headers })).status).toBe(200);
    expect(await refusal(call('GET', '/jobs', { token: 'leash_wrong' }))).toBe('401 unauthenticated');
  });

  test('failed sign-ins of the dashboard are rate limited per network', async () => {
    let host = 1;
    const signIn = () =>
      request('/api/v1/session', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: ORIGIN, 'CF-Connecting-IP': `2001:db8::${host++}` },
        body: JSON.stringify({ token: 'leash_wrong' }),
      });
    await untilSlowed(30, '401 unauthenticated', signIn);
  });

  test('dashboards without a session, and wrappers, are not: they get 401', async () => {
    const headers = { 'CF-Connecting-IP': '203.0.113.2' };
    await neverSlowed('401 unauthenticated', () =>
      request('/api/v1/session', { headers: { ...headers, Cookie: '__Host-leash=over' } }),
    );
    await neverSlowed('401 unauthenticated', () =>
      call('GET', '/jobs/any/connect', { token: 'leash_wrong', headers: { ...headers, Upgrade: 'websocket' } }),
    );
  });

  test('kills within a minute with one token are rate limited, and others are not', async () => {
    const [hasty, calm] = await Promise.all([
      newToken({ name: 'hasty', scopes: ['kill'] }),
      newToken({ name: 'calm', scopes: ['kill'] }),
    ]);
    const kill = (token: string) => call('POST', '/jobs/tokens-never-seen/kill', { token, body: {} });
    await untilSlowed(120, '404 unknown_job', () => kill(hasty.secret));
    expect(await refusal(kill(calm.secret))).toBe('404 unknown_job');
  });
});

describe('headers that are too long are refused', () => {
  test.each([
    ['Authorization', { Authorization: `Bearer ${'x'.repeat(600)}` }],
    ['Cookie', { Cookie: `__Host-leash=${'x'.repeat(9_000)}` }],
  ])('%s', async (_name, headers) => {
    expect(await refusal(request('/api/v1/jobs', { headers }))).toBe('400 bad_request');
  });

  test('Idempotency-Key', async () => {
    const headers = { 'Idempotency-Key': 'x'.repeat(129) };
    expect(await refusal(call('POST', '/jobs/any/kill', { body: {}, headers }))).toBe('400 bad_request');
  });
});
