/** PagerDuty, by its Events API v2. */
import { createHash } from 'node:crypto';
import type { ChannelTarget, Message, ToldOccurrence } from '../message.ts';
import type { PostRequest } from './post.ts';
import { lastLines, truncate } from './text.ts';
import { shown, wordingOf } from './wording.ts';

/** Of accounts outside of the EU. */
const EVENTS_URL = 'https://events.pagerduty.com/v2/enqueue';

// https://developer.pagerduty.com/docs/send-alert-event. An event may have 512 KB in all.
const MAX_SUMMARY_CHARS = 1_024;
const MAX_DEDUP_KEY_CHARS = 255;
const MAX_TAIL_CHARS = 16_000;
const MAX_TEXT_CHARS = 1_000;

/**
 * One event for all that is wrong, and one that resolves for each job and machine that has recovered.
 *
 * What is wrong with one job on one machine is one incident, which ends when that recovers. A storm is one incident, too; since
 * it is over only when all of it is, which none of these events says, people resolve it.
 */
export function pagerDutyRequests({ url, secret }: ChannelTarget, message: Message): PostRequest[] {
  const { occurrences } = message;
  const newest = new Map(occurrences.toSorted((a, b) => a.at - b.at).map((one) => [incidentOf(one), one]));
  const [first, ...rest] = occurrences.filter((occurrence) => !hasRecovered(occurrence));
  const triggers = first === undefined ? [] : [trigger(withProblems(message, [first, ...rest]))];
  // What has recovered and failed again since is not over.
  const over = [...newest].filter(([, occurrence]) => hasRecovered(occurrence));
  const resolves = over.map(([key]) => ({ event_action: 'resolve', dedup_key: key }));
  return [...triggers, ...resolves].map((event) => ({
    url: url ?? EVENTS_URL,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ routing_key: secret, ...event }),
  }));
}

/** The message without what has recovered. The last lines are those of its first occurrence. */
function withProblems(message: Message, problems: Message['occurrences']): Message {
  const recovered = message.occurrences.length - problems.length;
  return {
    ...message,
    occurrences: problems,
    count: message.count - recovered,
    tail: problems[0] === message.occurrences[0] ? message.tail : null,
  };
}

function trigger(message: Message): Readonly<Record<string, unknown>> {
  const { occurrences, id, at, isTest, count } = message;
  const [first] = occurrences;
  const { title, severity, facts, others, unlisted, tail, links, footer } = wordingOf(message);
  const keys = new Set(occurrences.map(incidentOf));
  const isOneIncident = keys.size === 1 && count === occurrences.length && !isTest;
  return {
    event_action: 'trigger',
    dedup_key: isOneIncident ? incidentOf(first) : keyOf(['group', id]),
    client: 'Leash',
    client_url: first.pageUrl,
    payload: {
      summary: truncate(`${title}: ${shown(first.summary)}`, MAX_SUMMARY_CHARS),
      source: truncate(shown(first.machine ?? first.job), MAX_TEXT_CHARS),
      severity,
      timestamp: new Date(at).toISOString(),
      component: shown(first.job),
      class: first.kind,
      custom_details: {
        ...Object.fromEntries(facts.map(({ name, value }) => [name, truncate(value, MAX_TEXT_CHARS)])),
        ...(tail !== null && { 'Last lines': lastLines(tail, MAX_TAIL_CHARS) }),
        ...(others.length > 0 && { 'And also': others.map(({ text }) => truncate(text, MAX_TEXT_CHARS)) }),
        ...(unlisted > 0 && { 'Not listed': unlisted }),
        Sender: truncate(footer, MAX_TEXT_CHARS),
      },
    },
    links: links.map(({ text, url }) => ({ href: url, text })),
  };
}

function hasRecovered({ kind }: ToldOccurrence): boolean {
  return kind === 'recovered' || kind === 'fine';
}

/** The incident of a job on a machine. */
function incidentOf({ job, machine }: ToldOccurrence): string {
  return keyOf(machine === null ? ['job', job] : ['job', job, machine]);
}

function keyOf(parts: readonly string[]): string {
  const key = ['leash', ...parts].join('/');
  if (key.length <= MAX_DEDUP_KEY_CHARS) return key;
  return `leash/${createHash('sha256').update(key).digest('hex')}`;
}
