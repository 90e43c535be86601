/** A test's wrapper, connected to the Worker under test. */
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { TestWrapper as SharedTestWrapper } from '#testing/test-wrapper';
import type { Identity, StartMessage } from '#testing/wrapper-messages';
import { request } from './api.ts';
import { env } from './env.ts';

export { type Identity, newIdentity } from '#testing/wrapper-messages';

/** A command that has ended by itself, for `completed`. */
export const EXITED = { exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' } as const;

export class TestWrapper extends SharedTestWrapper {
  /** Connects, and sends `start` unless the options disable it. */
  static connect(
    identity: Identity,
    start: Partial<StartMessage> | null = {},
    token = env.LEASH_ADMIN_TOKEN,
  ): Promise<TestWrapper> {
    return TestWrapper.#connect(identity, start, false, token);
  }

  /** Connects as a peer whose network is half dead: it never answers a close. */
  static connectHalfOpen(
    identity: Identity,
    start: Partial<StartMessage> | null = {},
    token = env.LEASH_ADMIN_TOKEN,
  ): Promise<TestWrapper> {
    return TestWrapper.#connect(identity, start, true, token);
  }

  static async #connect(
    identity: Identity,
    start: Partial<StartMessage> | null,
    halfOpen: boolean,
    token: string,
  ): Promise<TestWrapper> {
    const response = await askToConnect(identity, token);
    const socket = response.webSocket;
    if (socket === null) throw new Error(`not connected: ${response.status} ${await response.text()}`);
    const wrapper = new TestWrapper(identity, socket);
    socket.accept({ allowHalfOpen: halfOpen });
    if (start !== null) {
      wrapper.start(start);
      await wrapper.started();
    }
    return wrapper;
  }
}

/** A wrapper's request for a link. */
export function requestLink(
  { job, run, machine, instance }: Identity,
  token: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return request(`/api/v1/jobs/${job}/connect?${new URLSearchParams({ run, machine, instance })}`, {
    headers: {
      Authorization: `Bearer ${token}`,
      Upgrade: 'websocket',
      'Sec-WebSocket-Protocol': WRAPPER_SUBPROTOCOL,
      ...headers,
    },
  });
}

/** Waits as a wrapper does while too many others connect. */
async function askToConnect(identity: Identity, token: string): Promise<Response> {
  for (;;) {
    const response = await requestLink(identity, token);
    if (response.status !== 503) return response;
    const { code, retry_after_ms: pauseMs } = await response.clone().json<{ code: string; retry_after_ms?: number }>();
    if (code !== 'busy' || pauseMs === undefined) return response;
    await scheduler.wait(pauseMs);
  }
}
