import { describe, expect, test, vi } from 'vitest';
import type { AuditEntry } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { type Actor, listAudit, recordAudit, recordDeniedRequests } from '../shared/d1/audit.ts';
import { network } from '../src/http/client-address.ts';
import { call, expiredToken, newToken, postKill, refusal, request, signedIn } from './support/api.ts';
import { useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';
import { rowsRead } from './support/indexed-runs.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

async function audit(query: Record<string, string> = {}): Promise<AuditEntry[]> {
  const response = await call('GET', `/audit?${new URLSearchParams(query)}`);
  return (await response.json<{ audit: AuditEntry[] }>()).audit;
}

/** The entry of refusals that fits, once it is written. */
function refused(query: Record<string, string>, isIt: (entry: AuditEntry) => boolean): Promise<AuditEntry> {
  return waitFor('the refusal to be in the audit', async () =>
    (await audit({ action: 'refused', ...query })).find(isIt),
  );
}

const from = (address: string) => ({ 'CF-Connecting-IP': address });

describe('the audit log', () => {
  test('lists who killed, changed tokens and signed in, from where and when, by name even after the token was deleted', async () => {
    const begunAt = Date.now();
    const { token, secret } = await newToken({ name: 'night shift', scopes: ['admin'] });
    await TestWrapper.connect(newIdentity('audited'));
    const as = { token: secret, headers: from('192.0.2.7') };
    await call('POST', '/jobs/audited/kill', { ...as, body: { reason: 'fills the disk' } });
    const made = await call('POST', '/tokens', { ...as, body: { name: 'made', scopes: ['read'] } });
    const other = (await made.json<{ token: { id: string } }>()).token.id;
    await call('POST', `/tokens/${other}/rotate`, { ...as, body: { old_valid_seconds: 0 } });
    await call('DELETE', `/tokens/${other}`, as);
    const page = await signedIn(secret);
    await request('/api/v1/session', { method: 'DELETE', headers: page });
    await call('DELETE', `/tokens/${token.id}`);

    const entries = await audit({ actor: token.id });
    const night = { id: token.id, name: 'night shift' };
    expect(entries.map(({ action, subject }) => [action, subject])).toEqual([
      ['signed_out', token.id],
      ['signed_in', token.id],
      ['token_deleted', other],
      ['token_rotated', other],
      ['token_created', other],
      ['kill', 'audited'],
    ]);
    expect(entries.every(({ actor, count }) => actor?.name === night.name && count === 1)).toBe(true);
    expect(entries.at(-1)).toMatchObject({
      actor: night,
      address: '192.0.2.7',
      detail: { reason: 'fills the disk', signal: null, grace_ms: null },
      request_id: expect.stringMatching(/^[0-9A-Z]{26}$/),
    });
    const at = Date.parse(entries[0]?.at ?? '');
    expect([begunAt <= at, at <= Date.now()]).toEqual([true, true]);
  });

  test('is for an admin of all jobs', async () => {
    const { secret } = await newToken({ name: 'some', scopes: ['admin'], jobs: 'web-*' });
    expect(await refusal(call('GET', '/audit', { token: secret }))).toBe('403 forbidden');
  });

  test('is filtered by actor, action and subject', async () => {
    const { token } = await newToken({ name: 'filter', scopes: ['read'] });
    await call('POST', `/tokens/${token.id}/rotate`, { body: {} });
    expect((await audit({ subject: token.id })).map(({ action }) => action)).toEqual([
      'token_rotated',
      'token_created',
    ]);
    expect(await audit({ subject: token.id, action: 'token_rotated' })).toHaveLength(1);
    expect(await audit({ subject: token.id, actor: token.id })).toEqual([]);
    expect(await refusal(call('GET', '/audit?action=dance'))).toBe('400 bad_request');
    expect(await refusal(call('GET', '/audit?cursor=first'))).toBe('400 bad_cursor');
  });

  test('is paged without repeats while entries are added, even in one millisecond or with older times', async () => {
    await TestWrapper.connect(newIdentity('paged'));
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now });
    for (let count = 0; count < 5; count++) await postKill('paged');
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: Record<string, string> = { subject: 'paged', limit: '2', ...(cursor !== '' && { cursor }) };
      const response = await call('GET', `/audit?${new URLSearchParams(query)}`);
      const page = await response.json<{ audit: AuditEntry[]; next_cursor: string | null }>();
      seen.push(...page.audit.map(({ id }) => id));
      cursor = page.next_cursor;
      // One that was stamped long before is stored only now.
      vi.setSystemTime(now - 10_000 * seen.length);
      await postKill('paged');
    }
    vi.useRealTimers();
    expect(seen).toHaveLength(5);
    expect((await audit({ subject: 'paged' })).map(({ id }) => id).filter((id) => seen.includes(id))).toEqual(seen);
  });

  test('is looked through in parts, so that a filter that rarely fits reads a limited number of entries', async () => {
    const { token } = await newToken({ name: 'rare', scopes: ['kill'] });
    const { token: other } = await newToken({ name: 'frequent', scopes: ['kill'] });
    const entry = (actor: Actor, action: 'kill' | 'token_created') =>
      recordAudit(env.DB, { at: 1, actor, action, subject: 'parts', detail: {}, address: null, requestId: 'x' });
    const kills = (actor: Actor, count: number) => Array.from({ length: count }, () => entry(actor, 'kill'));
    await env.DB.batch([...kills(token, 2), entry(token, 'token_created'), ...kills(other, 30), ...kills(token, 1)]);
    const pages: number[] = [];
    const read = await rowsRead(async (db) => {
      for (let before: number | undefined; before === undefined || before > 0; ) {
        const page = await listAudit(db, { actor: token.id, subject: 'parts', before }, 2, 10);
        pages.push(page.entries.length);
        before = pages.reduce((sum, count) => sum + count, 0) < 4 ? (page.next ?? 0) : 0;
      }
    });
    expect(pages).toEqual([1, 0, 0, 2, 1]);
    expect(read).toBeLessThan(60);
    // Of all others there are indexes.
    const created = { actor: token.id, subject: 'parts', action: 'token_created' } as const;
    expect((await listAudit(env.DB, created, 2, 10)).entries).toHaveLength(1);
  });

  test('never contains a secret, wherever it was presented', async () => {
    const { secret } = await newToken({ name: 'shown', scopes: ['read'] });
    const guess = 'leash_presented0presented0presented0presented0pre';
    await call('GET', `/tokens?cursor=${guess}`, { token: secret });
    await call('DELETE', `/tokens/${guess}`, { token: secret });
    await call('GET', '/jobs', { token: guess });
    await signedIn(guess);
    await request('/api/v1/jobs', { headers: { Cookie: `__Host-leash=${guess}` } });
    await refused({}, ({ subject }) => subject === 'signIn');
    const { results } = await env.DB.prepare('SELECT * FROM audit').all();
    const text = JSON.stringify(results);
    expect(text).not.toContain('presented');
    expect(text).not.toContain(secret);
  });
});

describe('denied requests in the audit log', () => {
  useFakeDate();

  test('have the operation, the reason and, if it is known, the token', async () => {
    const { token, secret } = await newToken({ name: 'reader', scopes: ['read'] });
    const as = { token: secret, headers: from('192.0.2.8') };
    await call('POST', '/jobs/refused/kill', { ...as, body: {} });
    await call('GET', '/jobs', { token: 'leash_wrong', headers: from('192.0.2.8') });
    expect(await refused({ subject: 'killJob' }, ({ address }) => address === '192.0.2.8')).toMatchObject({
      actor: { id: token.id, name: 'reader' },
      detail: { code: 'forbidden' },
      count: 1,
    });
    expect(await refused({ subject: 'listJobs' }, ({ address }) => address === '192.0.2.8')).toMatchObject({
      actor: null,
      detail: { code: 'unauthenticated' },
    });
  });

  test('have the token if it has expired or was rotated', async () => {
    const expired = await expiredToken({ name: 'expired', scopes: ['read'] });
    await call('GET', '/jobs', { token: expired.secret });
    const entry = await refused({ actor: expired.token.id }, () => true);
    expect(entry).toMatchObject({ detail: { code: 'token_expired' }, actor: { name: 'expired' } });
  });

  test('need a credential: a dashboard that asks whether it is signed in is not recorded', async () => {
    const at = from('192.0.2.10');
    const asked = request('/api/v1/session', { headers: at });
    expect(await refusal(asked)).toBe('401 unauthenticated');
    expect(await refusal(request('/api/v1/session', { method: 'DELETE', headers: at }))).toBe('401 unauthenticated');
    expect(await refusal(request('/api/v1/runs', { headers: { ...at, Cookie: 'other=1' } }))).toBe(
      '401 unauthenticated',
    );
    const showing = { Cookie: '__Host-leash=gone', Authorization: 'Basic x' };
    for (const [name, value] of Object.entries(showing)) {
      await request('/api/v1/session', { headers: { ...at, [name]: value } });
    }
    // Refusals are written in the order of the calls.
    const entry = await refused({ subject: 'getSession' }, (one) => one.address === '192.0.2.10' && one.count === 2);
    const all = (await audit({ action: 'refused' })).filter(({ address }) => address === '192.0.2.10');
    expect(all).toEqual([entry]);
  });

  test('are counted in one entry an hour', async () => {
    const knock = () => call('GET', '/runs', { token: 'leash_wrong', headers: from('192.0.2.9') });
    const ours = ({ address }: AuditEntry) => address === '192.0.2.9';
    // Not at the turn of an hour.
    vi.setSystemTime(Math.floor(Date.now() / 3_600_000) * 3_600_000 + 1_800_000);
    for (let count = 0; count < 5; count++) await knock();
    const first = await refused({ subject: 'listRuns' }, (entry) => ours(entry) && entry.count === 5);
    vi.setSystemTime(Date.now() + 1_000);
    await knock();
    const more = await refused({ subject: 'listRuns' }, (entry) => ours(entry) && entry.count === 6);
    expect(more).toMatchObject({ id: first.id, at: first.at });
    expect(Date.parse(more.last_at)).toBeGreaterThan(Date.parse(more.at));
    vi.setSystemTime(Date.now() + 3_600_000);
    await knock();
    await refused({ subject: 'listRuns' }, (entry) => ours(entry) && entry.count === 1);
  });

  test('do not fill the database, however many addresses they come from', async () => {
    const firstAt = Date.now() + 10 * 3_600_000;
    const knocks = Array.from({ length: 500 }, (_, index) => ({
      actor: null,
      subject: 'listRuns',
      code: 'unauthenticated',
      address: `198.51.100.${index}`,
      requestId: 'x',
      count: 1,
      firstAt,
      lastAt: firstAt,
    }));
    const before = await rows();
    for (let round = 0; round < 2; round++) {
      await env.DB.batch(knocks.flatMap((knock) => recordDeniedRequests(env.DB, knock)));
    }
    expect((await rows()) - before).toBe(201);
    const counts = await env.DB.prepare('SELECT sum(count) AS n FROM audit WHERE at = ?').bind(firstAt).first();
    expect(counts).toEqual({ n: 1000 });
    expect((await audit({ subject: 'many' })).map(({ count, address }) => [count, address])).toEqual([[600, null]]);
  });

  async function rows(): Promise<number> {
    return (await env.DB.prepare('SELECT count(*) AS n FROM audit').first<{ n: number }>())?.n ?? 0;
  }
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s is of the network %s', (address, expected) => {
  expect(network(address)).toBe(expected);
});
