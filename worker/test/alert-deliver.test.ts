import { describe, expect, inject, test } from 'vitest';
import { type ChannelEnv, channelProblem } from '../durable/alerts/channels/channel.ts';
import { deliver } from '../durable/alerts/channels/deliver.ts';
import type { ChannelTarget } from '../durable/alerts/message.ts';
import { alertMessage, toldOccurrence } from './support/alert-message.ts';
import { env } from './support/env.ts';

const PRIVATE: ChannelEnv = { ...env, ALLOW_PRIVATE_ALERTS: 'true' };

function target(given: Partial<ChannelTarget> = {}): ChannelTarget {
  return { kind: 'webhook', url: 'https://hooks.example.com/leash', secret: null, ...given };
}

function answering(...statuses: number[]): { fetchUrl: typeof fetch; asked: string[] } {
  const asked: string[] = [];
  const fetchUrl = (async (url: string) => {
    asked.push(url);
    return new Response('no', { status: statuses[asked.length - 1] ?? 200, headers: { 'Retry-After': '7' } });
  }) as typeof fetch;
  return { fetchUrl, asked };
}

describe('deliver', () => {
  test('delivers to a receiver on loopback where that is allowed, by the real runtime', async () => {
    const url = `${inject('receiverUrl')}/status/204`;
    expect(await deliver(PRIVATE, target({ url }), alertMessage())).toEqual({ kind: 'delivered' });
  });

  test('elsewhere, no request leaves for a private address, and none by plain HTTP', async () => {
    for (const url of ['https://127.0.0.1:8443/', 'http://hooks.example.com/']) {
      const { fetchUrl, asked } = answering();
      const result = await deliver(env, target({ url }), alertMessage(), fetchUrl);
      expect(result).toMatchObject({ kind: 'impossible', why: expect.stringContaining('`channel.url` is refused') });
      expect(asked).toEqual([]);
    }
  });

  // As `npm start` has it without --allow-private-alerts: a check of the URL can't know where a name leads.
  test('where the runtime has a public network, that is the way out', async () => {
    const asked: string[] = [];
    const network = {
      fetch: async (url: string) => {
        asked.push(url);
        return new Response(null, { status: 204 });
      },
    } as unknown as Fetcher;
    const guarded = { ...env, PUBLIC_NETWORK: network };
    expect(await deliver(guarded, target(), alertMessage())).toEqual({ kind: 'delivered' });
    expect(asked).toEqual(['https://hooks.example.com/leash']);
  });

  test.each([
    [500, { kind: 'failed', retryAfterMs: 7_000 }],
    [429, { kind: 'failed', retryAfterMs: 7_000 }],
    [404, { kind: 'failed', retryAfterMs: 7_000 }],
    [302, { kind: 'failed', retryAfterMs: null }],
    [400, { kind: 'impossible' }],
    [410, { kind: 'impossible' }],
  ])('a receiver that answers %i', async (status, expected) => {
    const { fetchUrl } = answering(status);
    const result = await deliver(env, target(), alertMessage(), fetchUrl);
    expect(result).toMatchObject({ ...expected, why: expect.stringContaining(`The receiver answered ${status}`) });
  });

  test.each([
    target({ url: 'https://hooks.example.com/leash?key=abcdef', secret: 'signing-key' }),
    target({ kind: 'slack', url: 'https://hooks.slack.com/services/T0/B0/abcdef' }),
    target({ kind: 'pagerduty', url: null, secret: 'abcdef' }),
  ])('a receiver that repeats what it was sent tells nobody a secret: %j', async (channel) => {
    const fetchUrl = (async (url: string, { body, headers }: RequestInit) =>
      new Response(`Cannot POST ${url} ${JSON.stringify(headers)} ${body}`, { status: 404 })) as typeof fetch;
    const result = await deliver(env, channel, alertMessage(), fetchUrl);
    expect(result).toMatchObject({ kind: 'failed', why: expect.stringMatching(/answered 404: Cannot POST https.*…/) });
    expect(JSON.stringify(result)).not.toMatch(/abcdef|signing-key/);
  });

  test('of several requests, one that fails ends the attempt', async () => {
    const both = alertMessage({ occurrences: [toldOccurrence(), toldOccurrence({ kind: 'recovered', machine: 'b' })] });
    const pagerDuty = target({ kind: 'pagerduty', url: null, secret: 'key' });
    const failing = answering(500);
    expect(await deliver(env, pagerDuty, both, failing.fetchUrl)).toMatchObject({ kind: 'failed' });
    expect(failing.asked).toHaveLength(1);
    const working = answering(202, 202);
    expect(await deliver(env, pagerDuty, both, working.fetchUrl)).toEqual({ kind: 'delivered' });
    expect(working.asked).toHaveLength(2);
  });
});

describe('mail', () => {
  const to = target({ kind: 'email', url: 'oncall@example.com' });

  test('goes through the binding, from the address that is set', async () => {
    const sent: unknown[] = [];
    const EMAIL = {
      send: async (mail: unknown) => {
        sent.push(mail);
        return { messageId: '1' };
      },
    } as SendEmail;
    const withMail = { ...env, EMAIL, ALERT_EMAIL_FROM: 'leash@example.com' };
    expect(await deliver(withMail, to, alertMessage())).toEqual({ kind: 'delivered' });
    expect(sent).toMatchObject([{ to: 'oncall@example.com', from: { email: 'leash@example.com' } }]);
    const refusing = { send: () => Promise.reject(new Error('sender not verified')) } as unknown as SendEmail;
    expect(await deliver({ ...withMail, EMAIL: refusing }, to, alertMessage())).toEqual({
      kind: 'failed',
      why: 'The mail was not accepted: sender not verified',
      retryAfterMs: null,
    });
    expect(channelProblem(withMail, target({ kind: 'email', url: 'everyone' }))).toMatch('must be an email address');
    expect(channelProblem({ ...withMail, ALERT_EMAIL_FROM: '' }, to)).toMatch('ALERT_EMAIL_FROM is not set');
  });

  test('without the binding, says what is missing', async () => {
    expect(await deliver(env, to, alertMessage())).toEqual({
      kind: 'impossible',
      why: 'This deployment can’t send mail: it has no `send_email` binding named EMAIL (see docs/alert-channels.md).',
    });
  });
});

test.each([
  [target({ url: null }), '`channel.url` is required.'],
  [target({ kind: 'pagerduty', url: null }), 'integration key'],
  [target({ kind: 'ntfy', url: 'https://ntfy.sh/' }), 'must end with the topic'],
  [target({ kind: 'slack', url: 'https://10.0.0.1/x' }), 'is refused'],
])('a channel that lacks something: %j', (channel, problem) => {
  expect(channelProblem(env, channel)).toMatch(problem);
});
