/** What the parts of an alert are called. */
import type { AlertKind, ChannelKind } from '#protocol/alerts';

export const KIND_LABELS: Readonly<Record<AlertKind, string>> = {
  failed: 'failed',
  timed_out: 'timed out',
  errored: 'errored',
  lost: 'lost',
  killed: 'killed',
  survivors: 'survived a kill',
  leftovers: 'left processes running',
  late: 'late',
  missed: 'missed',
  slow: 'slow',
  skipped: 'skipped',
  kill_unanswered: 'kill not answered',
  recovered: 'recovered',
  channel_broken: 'another alert’s channel is broken',
};

interface ChannelLabels {
  readonly name: string;
  /** Null: the kind has none. */
  readonly url: { readonly label: string; readonly placeholder: string } | null;
  readonly secret: { readonly label: string; readonly help: string } | null;
}

export const CHANNEL_LABELS: Readonly<Record<ChannelKind, ChannelLabels>> = {
  webhook: {
    name: 'Webhook',
    url: { label: 'URL', placeholder: 'https://example.com/leash' },
    secret: { label: 'Secret', help: 'Signs each request, so that the receiver can check where it comes from.' },
  },
  slack: {
    name: 'Slack',
    url: { label: 'Webhook URL', placeholder: 'https://hooks.slack.com/services/…' },
    secret: null,
  },
  discord: {
    name: 'Discord',
    url: { label: 'Webhook URL', placeholder: 'https://discord.com/api/webhooks/…' },
    secret: null,
  },
  teams: { name: 'Microsoft Teams', url: { label: 'Workflow URL', placeholder: 'https://…' }, secret: null },
  pagerduty: {
    name: 'PagerDuty',
    url: null,
    secret: { label: 'Integration key', help: 'Of a service with an Events API v2 integration.' },
  },
  ntfy: {
    name: 'ntfy',
    url: { label: 'URL of the topic', placeholder: 'https://ntfy.sh/mytopic' },
    secret: { label: 'Access token', help: 'Only if the topic needs one.' },
  },
  alertmanager: {
    name: 'Alertmanager',
    url: { label: 'URL', placeholder: 'https://alertmanager.example.com' },
    secret: { label: 'Bearer token', help: 'Only if it needs one.' },
  },
  email: { name: 'Email', url: { label: 'Address', placeholder: 'oncall@example.com' }, secret: null },
};
