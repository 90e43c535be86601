/** Alerts: what they are about, whom they go to, and what a webhook receives. */
import * as v from 'valibot';
import { Tags } from './about.ts';
import { hasInvisible } from './invisible-characters.ts';
import { AlertId, Globs, JobName, MachineName, RunId } from './names.ts';
import { InputTime, Time } from './time.ts';

/**
 * What an alert can be about.
 *
 * - `failed`, `timed_out`, `errored`, `lost`, `killed`: how a run ended
 * - `survivors`: a kill could not end all processes
 * - `leftovers`: a run has ended and left processes running
 * - `late`, `missed`: a run that was due has not started; the next was due before it started
 * - `slow`: a run takes longer than expected
 * - `skipped`: a run was told not to start, because another was in its way
 * - `kill_unanswered`: a wrapper does not answer a kill
 * - `recovered`: what was wrong with a job on a machine is over
 * - `channel_broken`: the channel of another alert does not work; its job is `leash`
 */
export const ALERT_KINDS = [
  'failed',
  'timed_out',
  'errored',
  'lost',
  'killed',
  'survivors',
  'leftovers',
  'late',
  'missed',
  'slow',
  'skipped',
  'kill_unanswered',
  'recovered',
  'channel_broken',
] as const;
export const AlertKind = v.picklist(ALERT_KINDS);
export type AlertKind = v.InferOutput<typeof AlertKind>;

/** What an occurrence can be: `fine` is no alert, but ends what was wrong. */
export const OccurrenceKind = v.picklist([...ALERT_KINDS, 'fine']);
export type OccurrenceKind = v.InferOutput<typeof OccurrenceKind>;

/** Something that has happened to a job, for the alerts object. Derived from what is stored, so it may come again. */
export interface Occurrence {
  /** The same whenever it is derived: it is handled once. */
  readonly id: string;
  readonly kind: OccurrenceKind;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly job: string;
  /** Null: of the job as a whole. */
  readonly machine: string | null;
  readonly run: string | null;
  /** A sentence without the job's name, such as `exit code 2 after 3 min`. */
  readonly summary: string;
  readonly exitCode: number | null;
  readonly durationMs: number | null;
  /** Whether a kill could end it. */
  readonly isAlive: boolean;
  readonly tags: readonly string[];
  readonly owner: string | null;
  readonly runbook: string | null;
}

export const CHANNEL_KINDS = [
  'webhook',
  'slack',
  'discord',
  'teams',
  'pagerduty',
  'ntfy',
  'alertmanager',
  'email',
] as const;
export const ChannelKind = v.picklist(CHANNEL_KINDS);
export type ChannelKind = v.InferOutput<typeof ChannelKind>;

const MAX_URL_CHARS = 2_000;
const MAX_SECRET_CHARS = 500;

/** Which of these a kind needs is checked where it is sent from (`worker/durable/alerts/channels/`). */
const CHANNEL = {
  kind: ChannelKind,
  /** Where it is posted to; of mail the address. Absent: the service's own address, as of PagerDuty. */
  url: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_URL_CHARS))),
};
/** `secret`: the key of the signature, the token or the routing key. */
export const NewChannel = v.strictObject({
  ...CHANNEL,
  secret: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_SECRET_CHARS))),
});
export type NewChannel = v.InferOutput<typeof NewChannel>;

/** Never with its secret. The path of a URL that is a secret by itself, as of Slack, is masked. */
export const Channel = v.object({ ...CHANNEL, has_secret: v.boolean() });
export type Channel = v.InferOutput<typeof Channel>;

const Kinds = v.pipe(v.array(AlertKind), v.minLength(1), v.maxLength(ALERT_KINDS.length));
const Name = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(100),
  v.check((name) => !hasInvisible(name), 'must not contain invisible characters or direction overrides'),
);

export const NewAlert = v.strictObject({
  name: Name,
  jobs: v.optional(Globs, '*'),
  machines: v.optional(Globs, '*'),
  /** Any of these tags; empty: with or without. */
  tags: v.optional(Tags, []),
  on: Kinds,
  channel: NewChannel,
  /** Whether its messages have a link by which a live run can be killed. */
  kill_link: v.optional(v.boolean(), false),
  muted_until: v.optional(v.nullable(InputTime), null),
});
export type NewAlert = v.InferOutput<typeof NewAlert>;

/** A `channel` replaces the old one; one without `secret` keeps it if the kind stays. */
export const AlertChanges = v.strictObject({
  name: v.optional(Name),
  jobs: v.optional(Globs),
  machines: v.optional(Globs),
  tags: v.optional(Tags),
  on: v.optional(Kinds),
  channel: v.optional(NewChannel),
  kill_link: v.optional(v.boolean()),
  muted_until: v.optional(v.nullable(InputTime)),
});
export type AlertChanges = v.InferOutput<typeof AlertChanges>;

export const DELIVERY_STATES = ['waiting', 'delivered', 'failed'] as const;

/** One message, and what became of it. */
export const Delivery = v.object({
  id: v.string(),
  at: Time,
  state: v.picklist(DELIVERY_STATES),
  /** How many occurrences it tells of. */
  occurrences: v.number(),
  attempts: v.number(),
  /** Why the last attempt failed; null: it did not. */
  error: v.nullable(v.string()),
  next_attempt_at: v.nullable(Time),
});
export type Delivery = v.InferOutput<typeof Delivery>;

export const Alert = v.object({
  id: AlertId,
  name: v.string(),
  jobs: v.array(v.string()),
  machines: v.array(v.string()),
  tags: v.array(v.string()),
  on: v.array(AlertKind),
  channel: Channel,
  kill_link: v.boolean(),
  muted_until: v.nullable(Time),
  created_at: Time,
  created_by: v.string(),
  /** Since when its channel fails; null: it works, or was never used. */
  broken_since: v.nullable(Time),
  /** Of a message or a test; kept when the channel works again, and forgotten when it is changed. Absent from older objects. */
  last_failure: v.optional(v.nullable(v.object({ at: Time, error: v.string() })), null),
  /** The newest first. */
  deliveries: v.array(Delivery),
});
export type Alert = v.InferOutput<typeof Alert>;

export const AlertBody = v.object({ alert: Alert });
export const AlertList = v.object({ alerts: v.array(Alert), next_cursor: v.nullable(v.string()) });
export const AlertTestBody = v.object({ delivered: v.boolean(), error: v.nullable(v.string()) });

/** On a webhook: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. */
export const SIGNATURE_HEADER = 'Leash-Signature';

/** One occurrence in a webhook's body. */
const WEBHOOK_OCCURRENCE = {
  kind: AlertKind,
  at: Time,
  job: JobName,
  machine: v.nullable(MachineName),
  run: v.nullable(RunId),
  summary: v.string(),
  exit_code: v.nullable(v.number()),
  duration_ms: v.nullable(v.number()),
  tags: v.array(v.string()),
  owner: v.nullable(v.string()),
  runbook: v.nullable(v.string()),
  links: v.object({
    /** The page of the run, or of the job. */
    page: v.string(),
    /** Present if the rule allows it and the run is live. */
    kill: v.optional(v.string()),
  }),
};

/** The JSON body of a webhook: the first occurrence, and all of a group in `occurrences`. */
export const WebhookBody = v.object({
  /** Of the message: the same when it is sent again. */
  id: v.string(),
  alert: v.object({ id: v.string(), name: v.string() }),
  ...WEBHOOK_OCCURRENCE,
  /** The last lines of the first one's output, redacted; null: there are none. */
  tail: v.nullable(v.string()),
  /** The first of them. */
  occurrences: v.array(v.object(WEBHOOK_OCCURRENCE)),
  /** How many there are, which may be more. */
  count: v.number(),
  is_test: v.boolean(),
});
export type WebhookBody = v.InferOutput<typeof WebhookBody>;
