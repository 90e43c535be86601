/** Delivers a message to a channel: one attempt. */
import { withTimeout } from '#shared/with-timeout';
import { log } from '../../../shared/log.ts';
import { readSettings } from '../../../shared/settings.ts';
import type { ChannelTarget, DeliveryResult, Message } from '../message.ts';
import { alertmanagerRequest } from './alertmanager.ts';
import { type ChannelEnv, channelProblem, withoutSecrets } from './channel.ts';
import { discordRequest } from './discord.ts';
import { mailOf } from './email.ts';
import { ntfyRequest } from './ntfy.ts';
import { pagerDutyRequests } from './pagerduty.ts';
import { type PostRequest, type PostResult, post } from './post.ts';
import { slackRequest } from './slack.ts';
import { teamsRequest } from './teams.ts';
import { webhookRequest } from './webhook.ts';

const MAIL_TIMEOUT_MS = 5_000;

/** The request itself is wrong, or what it is for is gone: the same request fails again. */
const PERMANENT_STATUSES: ReadonlySet<number> = new Set([400, 405, 410, 413, 415, 422]);

/** Never rejects; what it says contains no secret. @param fetchUrl in place of the way out that the deployment has */
export async function deliver(
  env: ChannelEnv,
  target: ChannelTarget,
  message: Message,
  fetchUrl: typeof fetch = fetchOf(env),
): Promise<DeliveryResult> {
  const result = await attempt(env, target, message, fetchUrl);
  return result.kind === 'delivered' ? result : { ...result, why: withoutSecrets(result.why, target) };
}

async function attempt(
  env: ChannelEnv,
  target: ChannelTarget,
  message: Message,
  fetchUrl: typeof fetch,
): Promise<DeliveryResult> {
  const problem = channelProblem(env, target);
  if (problem !== null) return { kind: 'impossible', why: problem };
  if (target.kind === 'email') return sendMail(env, target.url ?? '', message);
  for (const request of requestsOf({ ...target, kind: target.kind }, message, Date.now())) {
    const result = resultOf(await post(request, fetchUrl));
    if (result.kind !== 'delivered') return result;
  }
  return { kind: 'delivered' };
}

/** On a machine of one's own, a network that connects to public addresses only: it sees where a name leads. */
function fetchOf({ PUBLIC_NETWORK: network, ...env }: ChannelEnv): typeof fetch {
  if (network === undefined || readSettings(env).allowsPrivateAlerts) return fetch;
  return ((input, init) => network.fetch(input, init)) as typeof fetch;
}

type PostedTarget = ChannelTarget & { readonly kind: Exclude<ChannelTarget['kind'], 'email'> };

/** The requests that a message consists of, in order. Pure. @param now epoch milliseconds */
export function requestsOf(target: PostedTarget, message: Message, now: number): readonly PostRequest[] {
  const url = target.url ?? '';
  switch (target.kind) {
    case 'webhook':
      return [webhookRequest(target, url, message, now)];
    case 'slack':
      return [slackRequest(url, message)];
    case 'discord':
      return [discordRequest(url, message)];
    case 'teams':
      return [teamsRequest(url, message)];
    case 'pagerduty':
      return pagerDutyRequests(target, message);
    case 'ntfy':
      return [ntfyRequest(target, url, message)];
    case 'alertmanager':
      return [alertmanagerRequest(target, url, message)];
  }
}

function resultOf(posted: PostResult): DeliveryResult {
  switch (posted.kind) {
    case 'delivered':
      return { kind: 'delivered' };
    case 'timeout':
      return failed(`The receiver did not answer within ${posted.timeoutMs / 1000} s.`);
    case 'redirected':
      return failed(
        `The receiver answered ${posted.status}, a redirect, which is not followed. Use the address that it leads to.`,
      );
    case 'status': {
      const said = posted.excerpt === '' ? '' : `: ${posted.excerpt}`;
      const why = `The receiver answered ${posted.status}${said}`;
      if (PERMANENT_STATUSES.has(posted.status)) return { kind: 'impossible', why };
      return failed(why, posted.retryAfterMs);
    }
    case 'unreachable':
      return failed(`The receiver could not be reached: ${posted.detail}`);
  }
}

function failed(why: string, retryAfterMs: number | null = null): DeliveryResult {
  return { kind: 'failed', why, retryAfterMs };
}

async function sendMail(env: ChannelEnv, to: string, message: Message): Promise<DeliveryResult> {
  const mail = mailOf(readSettings(env).alertEmailFrom, to, message);
  const sent = Promise.resolve(env.EMAIL?.send(mail));
  try {
    await withTimeout(sent, MAIL_TIMEOUT_MS, { what: 'Cloudflare Email' });
    return { kind: 'delivered' };
  } catch (error) {
    // What the binding throws isn't documented in full: its sender and recipient rules, quotas, outages.
    log.error('alert_mail_failed', error, { message: message.id });
    return failed(`The mail was not accepted: ${error instanceof Error ? error.message : String(error)}`);
  }
}
