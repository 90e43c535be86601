/** Calls of the gateway may overtake each other. */
import { expect, test, vi } from 'vitest';
import { CLOSE_CODES } from '#protocol/close-codes';
import { waitFor } from '#testing/wait-for';
import { D1GatewayObject } from '../durable/d1-gateway/d1-gateway-object.ts';
import { newToken, request, signedIn } from './support/api.ts';
import { pass, useFakeDate } from './support/clock.ts';
import { env } from './support/env.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

useFakeDate();

function registrations(token: string): Promise<number | null> {
  return env.DB.prepare('SELECT count(*) AS n FROM open_sockets WHERE token = ?').bind(token).first<number>('n');
}

test('the sockets of a session are closed at its sign-out also when its registration was overtaken by an older one of the same token', async () => {
  const job = 'registration-overtaken';
  const { token, secret } = await newToken({ name: 'overtaken', scopes: ['run', 'read'] });
  const page = await signedIn(secret);
  const registerSockets = D1GatewayObject.prototype.registerSockets;
  let letGo = () => {};
  const late = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let asked = 0;
  const spy = vi.spyOn(D1GatewayObject.prototype, 'registerSockets').mockImplementation(async function (
    this: D1GatewayObject,
    registration,
  ) {
    if (registration.object === job) asked += 1;
    if (registration.object === job && asked === 1) await late;
    return registerSockets.call(this, registration);
  });
  await TestWrapper.connect(newIdentity(job), {}, secret);
  await waitFor('the older one to be asked', () => asked === 1);
  const viewer = await TestViewer.watchAs(`/jobs/${job}/watch`, page);
  await waitFor('both to be registered', async () => (await registrations(token.id)) === 2);
  letGo();
  await waitFor('the older one to undo it', async () => (await registrations(token.id)) === 1);
  spy.mockRestore();
  await pass(job, 10_001);
  await waitFor('both to be registered again', async () => (await registrations(token.id)) === 2);
  expect((await request('/api/v1/session', { method: 'DELETE', headers: page })).status).toBe(204);
  expect(await viewer.wasClosed()).toEqual({ code: CLOSE_CODES.unauthorized });
});
