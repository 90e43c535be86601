import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { describe, expect, test, vi } from 'vitest';
import type { Token } from '#protocol/api';
import { CLOSE_CODES } from '#protocol/close-codes';
import { waitFor } from '#testing/wait-for';
import { startMessage } from '#testing/wrapper-messages';
import { D1GatewayObject } from '../durable/d1-gateway/d1-gateway-object.ts';
import { sha256 } from '../shared/hash.ts';
import { sweep } from '../src/sweep.ts';
import { admitEveryone } from './support/admission.ts';
import { call, newToken, refusal, request, signedIn } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { without } from './support/d1.ts';
import { env } from './support/env.ts';
import { ObservedGateway } from './support/gateway.ts';
import { deadlines, disconnected, hibernate, jobObject, run } from './support/objects.ts';
import { sayAlive, TestViewer } from './support/viewer.ts';
import { type Identity, newIdentity, requestLink, TestWrapper } from './support/wrapper.ts';

/** A wrapper with a token of its own. */
type Holder = Identity & { readonly token: string };

function connectAs(who: Holder): Promise<TestWrapper> {
  return TestWrapper.connect(who, {}, who.token);
}

const REVOKED = { code: CLOSE_CODES.unauthorized };
const DAY_MS = 24 * 60 * 60 * 1000;

async function revoke({ id }: Token): Promise<void> {
  expect((await call('DELETE', `/tokens/${id}`)).status).toBe(204);
}

async function rotate({ id }: Token, oldValidSeconds: number): Promise<string> {
  const response = await call('POST', `/tokens/${id}/rotate`, { body: { old_valid_seconds: oldValidSeconds } });
  return (await response.json<{ secret: string }>()).secret;
}

/** Nobody has been told yet that something ended. */
async function registered(token: string, object: string): Promise<void> {
  await waitFor('the object to register', () =>
    env.DB.prepare('SELECT 1 FROM open_sockets WHERE token = ? AND object = ?').bind(token, object).first(),
  );
}

async function registrations(token: string): Promise<number> {
  const row = await env.DB.prepare('SELECT count(*) AS n FROM open_sockets WHERE token = ?')
    .bind(token)
    .first<{ n: number }>();
  return row?.n ?? 0;
}

/** A call that ends sockets is answered after a while in any case: it may go on then. */
async function registeredFor(token: string, count: number): Promise<void> {
  await waitFor(`${count} objects to be registered`, async () => (await registrations(token)) === count);
}

function redial(who: Holder): Promise<string> {
  return refusal(requestLink(who, who.token));
}

describe('revoking a token', () => {
  test('closes the links of its wrappers at once: their runs are disconnected, and they cannot reconnect', async () => {
    const { token, secret } = await newToken({ name: 'stolen', scopes: ['run'] });
    const who = { ...newIdentity('revoke-run'), token: secret };
    const [theirs, ours] = [await connectAs(who), await TestWrapper.connect(newIdentity('revoke-run'))];
    await registered(token.id, 'revoke-run');

    await revoke(token);

    expect(await theirs.wasClosed()).toEqual(REVOKED);
    await disconnected(who);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: false });
    expect(await redial(who)).toBe('401 unauthenticated');
    expect(ours.closed).toBeNull();
    await registeredFor(token.id, 0);
  });

  test('disconnects a run whose wrapper does not reply', async () => {
    const { token, secret } = await newToken({ name: 'half-open', scopes: ['run'] });
    const who = { ...newIdentity('revoke-half-open'), token: secret };
    await TestWrapper.connectHalfOpen(who, {}, secret);
    await registered(token.id, who.job);
    await revoke(token);
    await disconnected(who);
  });

  test('returns when its sockets are closed, wherever they are', async () => {
    const { token, secret } = await newToken({ name: 'everywhere', scopes: ['run', 'read'] });
    const jobs = Array.from({ length: 24 }, (_, index) => `revoke-many-${index}`);
    const sockets = [
      ...(await Promise.all(jobs.map((job) => connectAs({ ...newIdentity(job), token: secret })))),
      await TestViewer.watch('/jobs/revoke-many-0/watch', secret),
      await TestViewer.watch('/watch', secret),
    ];
    const bystander = await TestViewer.watch('/watch');
    for (const object of [...jobs, '']) await registered(token.id, object);

    await revoke(token);

    expect(await Promise.all(sockets.map((socket) => socket.wasClosed()))).toEqual(sockets.map(() => REVOKED));
    expect(bystander.closed).toBeNull();
  });

  test('reaches an object that hibernates', async () => {
    const { token, secret } = await newToken({ name: 'asleep', scopes: ['run'] });
    const wrapper = await connectAs({ ...newIdentity('revoke-asleep'), token: secret });
    await waitFor('the object to have the answer', () =>
      runInDurableObject(jobObject('revoke-asleep'), (_object, { storage }) => {
        return storage.sql.exec('SELECT 1 FROM credentials').toArray().length > 0;
      }),
    );
    await hibernate('revoke-asleep');
    await revoke(token);
    expect(await wrapper.wasClosed()).toEqual(REVOKED);
  });

  test('closes a connection that was admitted just before, as soon as it sends `start`', async () => {
    const { token, secret } = await newToken({ name: 'racing', scopes: ['run'] });
    const who = { ...newIdentity('revoke-race'), token: secret };
    const first = await connectAs(who);
    await registered(token.id, who.job);
    await revoke(token);
    await first.wasClosed();
    // What the Worker sends on when it has looked the token up before, twice, as two of them may be under way.
    for (let late = 0; late < 2; late++) {
      const credential = JSON.stringify({ token: token.id, secret: sha256(secret), session: null });
      const query = new URLSearchParams({ run: who.run, machine: who.machine, instance: who.instance, credential });
      const { webSocket } = await jobObject(who.job).fetch(`https://object/connect?${query}`, {
        headers: { Upgrade: 'websocket' },
      });
      const closed = new Promise((resolve) => webSocket?.addEventListener('close', ({ code }) => resolve(code)));
      webSocket?.accept();
      webSocket?.send(JSON.stringify(startMessage(who)));
      expect(await closed).toBe(CLOSE_CODES.unauthorized);
    }
    expect(await registrations(token.id)).toBe(0);
  });

  test('is completed by the sweep if an object was not reached', async () => {
    const { token, secret } = await newToken({ name: 'unreached', scopes: ['run'] });
    const wrapper = await connectAs({ ...newIdentity('revoke-sweep'), token: secret });
    await registered(token.id, 'revoke-sweep');
    // What the call leaves behind when it dies before it has called anyone.
    await env.DB.batch([
      env.DB.prepare('DELETE FROM tokens WHERE id = ?').bind(token.id),
      env.DB.prepare('UPDATE open_sockets SET stale = 1 WHERE token = ?').bind(token.id),
    ]);
    await sweep(env);
    expect(await wrapper.wasClosed()).toEqual(REVOKED);
    await registeredFor(token.id, 0);
  });
});

describe('the credential of a socket', () => {
  useFakeDate();

  test('is checked once, however many sockets are opened with it', async () => {
    const { token, secret } = await newToken({ name: 'crowd', scopes: ['run'] });
    const connect = () => connectAs({ ...newIdentity('credential-crowd'), token: secret });
    await connect();
    await registered(token.id, 'credential-crowd');
    await without(['open_sockets'], async () => {
      await Promise.all([connect(), connect(), connect()]);
    });
    expect(await deadlines('credential-crowd', 'credential_check')).toBe(0);
  });

  test('is checked together with others', async () => {
    admitEveryone();
    const { token, secret } = await newToken({ name: 'hour', scopes: ['run'] });
    const gateway = await ObservedGateway.observe('sockets', 'registerSockets');
    gateway.hold();
    const jobs = Array.from({ length: 40 }, (_, index) => `credential-hour-${index}`);
    await Promise.all(jobs.map((job) => connectAs({ ...newIdentity(job), token: secret })));
    try {
      await waitFor('all objects to ask', () => gateway.calls >= jobs.length);
    } finally {
      gateway.release();
    }
    await registeredFor(token.id, jobs.length);
    expect(gateway.queries).toHaveLength(2);
  });

  test('that was revoked while its object was checking it is checked again', async () => {
    const { token, secret } = await newToken({ name: 'overtaken', scopes: ['run'] });
    const gateway = await ObservedGateway.observe('sockets', 'registerSockets');
    gateway.hold();
    const wrapper = await connectAs({ ...newIdentity('credential-overtaken'), token: secret });
    await registered(token.id, 'credential-overtaken');
    const revoked = revoke(token);
    await waitFor('the object to be told to look', () => gateway.calls === 2);
    expect(wrapper.closed).toBeNull();
    gateway.release();
    await revoked;
    expect(await wrapper.wasClosed()).toEqual(REVOKED);
    await registeredFor(token.id, 0);
  });

  test('is no longer registered by an object that is cleared', async () => {
    const { token, secret } = await newToken({ name: 'brief-look', scopes: ['read'] });
    const viewer = await TestViewer.watch('/jobs/credential-cleared/watch', secret);
    await registered(token.id, 'credential-cleared');
    viewer.close();
    await registeredFor(token.id, 0);
  });

  test('is checked again by alarm when D1 was unavailable', async () => {
    const { token, secret } = await newToken({ name: 'd1-away', scopes: ['run'] });
    const asked = vi.spyOn(D1GatewayObject.prototype, 'registerSockets').mockClear();
    let wrapper: TestWrapper | undefined;
    await without(['open_sockets'], async () => {
      wrapper = await connectAs({ ...newIdentity('credential-retry'), token: secret });
      await waitFor('the question to fail', () => asked.mock.settledResults.some(({ type }) => type === 'rejected'));
    });
    expect(await registrations(token.id)).toBe(0);
    await revoke(token);
    expect(wrapper?.closed).toBeNull();
    await pass('credential-retry', 10_001);
    expect(await wrapper?.wasClosed()).toEqual(REVOKED);
  });

  test('may expire: then the socket is closed', async () => {
    const expiresAt = new Date(Date.now() + 600_000).toISOString();
    const { token, secret } = await newToken({ name: 'brief', scopes: ['run', 'read'], expires_at: expiresAt });
    const wrapper = await connectAs({ ...newIdentity('credential-expiry'), token: secret });
    const viewer = await TestViewer.watch('/watch', secret);
    for (const object of ['credential-expiry', '']) await registered(token.id, object);
    await waitFor('the deadline', async () => (await deadlines('credential-expiry', 'credential_end')) === 1);
    await pass('credential-expiry', 599_000);
    await sayAlive(env.FLEET.getByName('fleet'), viewer);
    await runDurableObjectAlarm(env.FLEET.getByName('fleet'));
    expect(wrapper.closed ?? viewer.closed).toBeNull();
    await pass('credential-expiry', 2_000);
    expect(await wrapper.wasClosed()).toEqual(REVOKED);
    await runDurableObjectAlarm(env.FLEET.getByName('fleet'));
    expect(await viewer.wasClosed()).toEqual(REVOKED);
    await registeredFor(token.id, 0);
  });
});

describe('rotating a token', () => {
  useFakeDate();

  test('gives it a new secret while the old one remains valid for a while', async () => {
    const { token, secret } = await newToken({ name: 'rotated', scopes: ['run'] });
    const who = { ...newIdentity('rotate-grace'), token: secret };
    const before = await connectAs(who);
    await registered(token.id, who.job);

    const renewed = await rotate(token, 3600);
    expect(renewed).not.toBe(secret);
    const after = await connectAs({ ...newIdentity(who.job), token: renewed });
    const late = await connectAs({ ...newIdentity(who.job), token: secret });
    await waitFor('the deadline', async () => (await deadlines(who.job, 'credential_end')) === 1);
    await pass(who.job, 3_590_000);
    expect(before.closed ?? late.closed).toBeNull();

    await pass(who.job, 11_000);
    expect(await before.wasClosed()).toEqual(REVOKED);
    expect(await late.wasClosed()).toEqual(REVOKED);
    expect(after.closed).toBeNull();
    expect(await redial(who)).toBe('401 token_rotated');
    expect((await call('GET', '/session', { token: renewed })).status).toBe(200);
  });

  test('at once closes what was opened with the old secret: links, viewers and sessions', async () => {
    const { token, secret } = await newToken({ name: 'leaked', scopes: ['run', 'read'] });
    const who = { ...newIdentity('rotate-now'), token: secret };
    const wrapper = await connectAs(who);
    const page = await signedIn(secret);
    const viewer = await TestViewer.watchAs('/jobs/rotate-now/watch', page);
    await registeredFor(token.id, 2);

    const renewed = await rotate(token, 0);

    expect(await wrapper.wasClosed()).toEqual(REVOKED);
    expect(await viewer.wasClosed()).toEqual(REVOKED);
    expect(await refusal(request('/api/v1/jobs', { headers: page }))).toBe('401 token_rotated');
    expect(await refusal(call('GET', '/jobs', { token: secret }))).toBe('401 token_rotated');
    expect((await call('GET', '/jobs', { token: renewed })).status).toBe(200);
  });

  test('again never extends an older secret', async () => {
    const { token, secret: first } = await newToken({ name: 'twice', scopes: ['read'] });
    const second = await rotate(token, 60);
    await rotate(token, 3600);
    vi.setSystemTime(Date.now() + 61_000);
    expect(await refusal(call('GET', '/jobs', { token: first }))).toBe('401 token_rotated');
    expect((await call('GET', '/jobs', { token: second })).status).toBe(200);
  });

  test('keeps its id, name, scopes and expiry', async () => {
    const expiresAt = new Date(Date.now() + DAY_MS).toISOString();
    const { token } = await newToken({ name: 'same', scopes: ['run'], machines: 'web*', expires_at: expiresAt });
    const response = await call('POST', `/tokens/${token.id}/rotate`, { body: {} });
    expect(await response.json()).toEqual({ token, secret: expect.stringMatching(/^leash_/) });
  });

  test('works only for existing tokens', async () => {
    const id = '01M82PTB40WMEYKY30XERGEN0N';
    expect(await refusal(call('POST', `/tokens/${id}/rotate`, { body: {} }))).toBe('404 unknown_token');
    expect(await env.DB.prepare('SELECT 1 FROM audit WHERE subject = ?').bind(id).first()).toBeNull();
    expect(await env.DB.prepare('SELECT 1 FROM secrets WHERE token = ?').bind(id).first()).toBeNull();
  });

  test('leaves replaced secrets to the sweep, a month after they ended', async () => {
    const { token, secret } = await newToken({ name: 'swept', scopes: ['read'] });
    await rotate(token, 0);
    const count = () =>
      env.DB.prepare('SELECT count(*) AS n FROM secrets WHERE token = ?').bind(token.id).first<{ n: number }>();
    vi.setSystemTime(Date.now() + 29 * DAY_MS);
    await sweep(env);
    expect(await count()).toEqual({ n: 2 });
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    await sweep(env);
    expect(await count()).toEqual({ n: 1 });
    expect(await refusal(call('GET', '/jobs', { token: secret }))).toBe('401 unauthenticated');
  });
});

describe('the sockets of a dashboard session', () => {
  useFakeDate();

  test('are closed when it signs out, and those of another session of the same token are not', async () => {
    const { token, secret } = await newToken({ name: 'two-pages', scopes: ['read'] });
    const [one, other] = [await signedIn(secret), await signedIn(secret)];
    await TestWrapper.connect(newIdentity('signed-out'));
    const ending = [await TestViewer.watchAs('/jobs/signed-out/watch', one), await TestViewer.watchAs('/watch', one)];
    const staying = [
      await TestViewer.watchAs('/jobs/signed-out/watch', other),
      await TestViewer.watchAs('/watch', other),
    ];
    await registeredFor(token.id, 4);

    expect((await request('/api/v1/session', { method: 'DELETE', headers: one })).status).toBe(204);

    expect(await Promise.all(ending.map((viewer) => viewer.wasClosed()))).toEqual([REVOKED, REVOKED]);
    expect(staying.map(({ closed }) => closed)).toEqual([null, null]);
    await registeredFor(token.id, 2);
  });

  test('are closed when the session expires, also those of the admin token', async () => {
    const page = await signedIn(env.LEASH_ADMIN_TOKEN);
    const viewer = await TestViewer.watchAs('/jobs/session-over/watch', page);
    await waitFor('the deadline', async () => (await deadlines('session-over', 'credential_end')) === 1);
    vi.setSystemTime(Date.now() + DAY_MS / 2 - 10_000);
    await sayAlive(jobObject('session-over'), viewer);
    await pass('session-over', 0);
    expect(viewer.closed).toBeNull();
    await pass('session-over', 11_000);
    expect(await viewer.wasClosed()).toEqual(REVOKED);
  });
});
