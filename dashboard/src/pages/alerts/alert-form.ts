/** What is filled in for an alert, and what becomes of it. Pure. */
import * as v from 'valibot';
import { ALERT_KINDS, type Alert, AlertChanges, type AlertKind, type ChannelKind, NewAlert } from '#protocol/alerts';
import type { Problems, ReadForm } from '../../hooks/use-form.ts';
import { CHANNEL_LABELS } from './alert-labels.ts';

export interface AlertForm {
  readonly name: string;
  readonly on: readonly AlertKind[];
  /** Globs and tags, separated by commas or spaces. */
  readonly jobs: string;
  readonly machines: string;
  readonly tags: string;
  /** Null: the channel stays as it is. */
  readonly channel: ChannelForm | null;
  readonly killLink: boolean;
}

export interface ChannelForm {
  readonly kind: ChannelKind;
  readonly url: string;
  readonly secret: string;
}

/** What wakes somebody up for a reason. */
const USUAL_KINDS: readonly AlertKind[] = ['failed', 'timed_out', 'errored', 'lost', 'late', 'missed', 'recovered'];

export const EMPTY_FORM: AlertForm = {
  name: '',
  on: USUAL_KINDS,
  jobs: '*',
  machines: '*',
  tags: '',
  channel: { kind: 'webhook', url: '', secret: '' },
  killLink: false,
};

export function formOf(alert: Alert): AlertForm {
  return {
    name: alert.name,
    on: alert.on,
    jobs: alert.jobs.join(', '),
    machines: alert.machines.join(', '),
    tags: alert.tags.join(', '),
    channel: null,
    killLink: alert.kill_link,
  };
}

export type FormField = 'name' | 'on' | 'jobs' | 'machines' | 'tags' | 'url' | 'secret';

export function readNew(form: AlertForm): ReadForm<v.InferInput<typeof NewAlert>, FormField> {
  return read(
    NewAlert,
    { ...fieldsOf(form), channel: channelOf(form.channel ?? { kind: 'webhook', url: '', secret: '' }) },
    form,
  );
}

export function readChanges(form: AlertForm): ReadForm<v.InferInput<typeof AlertChanges>, FormField> {
  const channel = form.channel === null ? {} : { channel: channelOf(form.channel) };
  return read(AlertChanges, { ...fieldsOf(form), ...channel }, form);
}

export function toggled(kinds: readonly AlertKind[], kind: AlertKind): AlertKind[] {
  return ALERT_KINDS.filter((known) => kinds.includes(known) !== (known === kind));
}

function fieldsOf({ name, on, jobs, machines, tags, killLink }: AlertForm) {
  return {
    name: name.trim(),
    on: [...on],
    jobs: orAll(words(jobs)),
    machines: orAll(words(machines)),
    tags: words(tags),
    kill_link: killLink,
  };
}

function channelOf({ kind, url, secret }: ChannelForm) {
  const labels = CHANNEL_LABELS[kind];
  return {
    kind,
    ...(labels.url !== null && url.trim() !== '' && { url: url.trim() }),
    ...(labels.secret !== null && secret.trim() !== '' && { secret: secret.trim() }),
  };
}

function read<Value>(
  schema: v.GenericSchema<Value, unknown>,
  value: Value,
  form: AlertForm,
): ReadForm<Value, FormField> {
  const problems: Problems<FormField> = {};
  if (form.name.trim() === '') problems.name = 'Enter a name, e.g. “night shift”.';
  if (form.on.length === 0) problems.on = 'Select at least one.';
  const urlProblem = form.channel === null ? null : problemOfUrl(form.channel);
  if (urlProblem !== null) problems.url = urlProblem;
  for (const { path, message } of v.safeParse(schema, value).issues ?? []) {
    problems[fieldAt(path?.[0]?.key, path?.[1]?.key)] ??= `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  }
  return Object.keys(problems).length === 0 ? { ok: true, value } : { ok: false, problems };
}

/** The control plane checks more than this, and says what it refuses by the names of the API. */
function problemOfUrl({ kind, url }: ChannelForm): string | null {
  const { url: labels } = CHANNEL_LABELS[kind];
  if (labels === null) return null;
  if (url.trim() === '') return `Enter the ${labels.label}.`;
  const isUrl = kind === 'email' || URL.canParse(url.trim());
  return isUrl ? null : 'Enter a complete URL, such as https://example.com/leash.';
}

/** Where what is wrong is shown: whatever it is, it is shown. */
function fieldAt(key: unknown, within: unknown): FormField {
  switch (key) {
    case 'on':
    case 'jobs':
    case 'machines':
    case 'tags':
      return key;
    case 'channel':
      return within === 'secret' ? 'secret' : 'url';
    default:
      return 'name';
  }
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

function orAll(globs: readonly string[]): string[] {
  return globs.length === 0 ? ['*'] : [...globs];
}
