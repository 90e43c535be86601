/** What each kind of channel needs, and what of it may be shown. */
import * as v from 'valibot';
import type { Env } from '../../../shared/env.ts';
import { checkReceiverUrl } from '../../../shared/receiver-address.ts';
import { readSettings, type SettingVars } from '../../../shared/settings.ts';
import type { ChannelTarget } from '../message.ts';
import { readTopic } from './ntfy.ts';

/** What a deployment has for sending. */
export type ChannelEnv = SettingVars & Pick<Env, 'EMAIL' | 'PUBLIC_NETWORK'>;

/** What is shorter is no secret, and may be part of any text. */
const SHORTEST_SECRET = 4;

const EmailAddress = v.pipe(v.string(), v.rfcEmail());

/**
 * Why nothing can be sent to a channel, as a sentence for whoever sets it up; null: it can. It is asked when a rule is stored,
 * and before each message: settings of the deployment change.
 */
export function channelProblem(env: ChannelEnv, { kind, url, secret }: ChannelTarget): string | null {
  switch (kind) {
    case 'webhook':
    case 'slack':
    case 'discord':
    case 'teams':
    case 'alertmanager':
      return urlProblem(env, url);
    case 'ntfy':
      return urlProblem(env, url) ?? topicProblem(url);
    case 'pagerduty':
      if (secret === null)
        return '`channel.secret` must be the integration key (routing key) of the PagerDuty service.';
      return url === null ? null : urlProblem(env, url);
    case 'email':
      return emailProblem(env, url);
  }
}

function urlProblem(env: ChannelEnv, url: string | null): string | null {
  if (url === null) return '`channel.url` is required.';
  const checked = checkReceiverUrl(url, readSettings(env).allowsPrivateAlerts);
  return checked.kind === 'refused' ? `\`channel.url\` is refused. ${checked.reason}` : null;
}

function topicProblem(url: string | null): string | null {
  if (url !== null && readTopic(url) !== null) return null;
  return '`channel.url` must end with the topic, as in https://ntfy.sh/mytopic.';
}

function emailProblem(env: ChannelEnv, url: string | null): string | null {
  if (env.EMAIL === undefined) {
    return 'This deployment can’t send mail: it has no `send_email` binding named EMAIL (see docs/alert-channels.md).';
  }
  if (readSettings(env).alertEmailFrom === '') return 'This deployment can’t send mail: ALERT_EMAIL_FROM is not set.';
  return v.is(EmailAddress, url) ? null : '`channel.url` must be an email address.';
}

/** Whether the path and query of such a URL let anyone send there. */
function isSecretUrl(kind: ChannelTarget['kind']): boolean {
  return kind === 'slack' || kind === 'discord' || kind === 'teams' || kind === 'ntfy';
}

/** What a receiver or the runtime says, which may repeat what was sent, without what is secret of the channel. */
export function withoutSecrets(text: string, { kind, url, secret }: ChannelTarget): string {
  const parsed = url === null || kind === 'email' ? null : URL.parse(url);
  const ofUrl =
    parsed === null ? [] : [parsed.search.slice(1), ...parsed.searchParams.values(), ...secretPath(kind, parsed)];
  return [secret ?? '', ...ofUrl]
    .filter((part) => part.length >= SHORTEST_SECRET)
    .sort((one, other) => other.length - one.length)
    .reduce((shown, part) => shown.replaceAll(part, '…'), text);
}

function secretPath(kind: ChannelTarget['kind'], { pathname }: URL): string[] {
  return isSecretUrl(kind) ? [pathname.slice(1)] : [];
}

/** The URL as it may be shown: without what is secret in it. */
export function shownUrl({ kind, url }: Pick<ChannelTarget, 'kind' | 'url'>): string | null {
  if (url === null || kind === 'email') return url;
  const parsed = URL.parse(url);
  if (parsed === null) return '…';
  if (isSecretUrl(kind)) return `${parsed.origin}/…`;
  return `${parsed.origin}${parsed.pathname}${parsed.search === '' ? '' : '?…'}`;
}
