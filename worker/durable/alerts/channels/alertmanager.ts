/** Alertmanager, by its API v2: an array of alerts. */
import type { ChannelTarget, Message, ToldOccurrence } from '../message.ts';
import type { PostRequest } from './post.ts';
import { lastLines } from './text.ts';
import { headline, shown, tailOf } from './wording.ts';

const PATH = '/api/v2/alerts';
const MAX_TAIL_CHARS = 4_000;

const MINUTE_MS = 60_000;
/**
 * Alertmanager ends an alert that isn't sent again after 5 minutes, unless it has an end. Leash sends once: what doesn't
 * recover ends after a week.
 */
const UNRESOLVED_MS = 7 * 24 * 60 * MINUTE_MS;
const TEST_MS = 5 * MINUTE_MS;

/** @param url of the server, or of the API itself */
export function alertmanagerRequest({ secret }: ChannelTarget, url: string, message: Message): PostRequest {
  const address = new URL(url);
  if (!address.pathname.endsWith(PATH)) address.pathname = address.pathname.replace(/\/$/, '') + PATH;
  return {
    url: address.href,
    headers: { 'Content-Type': 'application/json', ...(secret !== null && { Authorization: authorization(secret) }) },
    body: JSON.stringify(alertsOf(message)),
  };
}

/** `user:password`, or a token. */
function authorization(secret: string): string {
  return secret.includes(':') ? `Basic ${Buffer.from(secret).toString('base64')}` : `Bearer ${secret}`;
}

/** Of each job on each machine, the newest: alerts with the same labels are one. */
function alertsOf(message: Message): unknown[] {
  const newest = new Map(
    message.occurrences
      .toSorted((a, b) => a.at - b.at)
      .map((occurrence) => [JSON.stringify([occurrence.job, occurrence.machine]), occurrence]),
  );
  return [...newest.values()].map((occurrence) => alertOf(message, occurrence));
}

function alertOf(message: Message, occurrence: ToldOccurrence): unknown {
  const { job, machine, kind, at, summary, owner, runbook, tags } = occurrence;
  const isOver = kind === 'recovered' || kind === 'fine';
  const tail = occurrence === message.occurrences[0] ? tailOf(message.tail) : null;
  return {
    // What a problem and its end have in common, and nothing else: the kind is an annotation.
    labels: {
      alertname: message.isTest ? 'LeashTest' : 'LeashJob',
      job: shown(job),
      ...(machine !== null && { machine: shown(machine) }),
      leash_alert: shown(message.alert.name),
    },
    annotations: {
      summary: headline(occurrence),
      description: shown(summary),
      kind,
      ...(owner !== null && { owner: shown(owner) }),
      ...(runbook !== null && { runbook_url: shown(runbook) }),
      ...(tags.length > 0 && { tags: tags.join(', ') }),
      ...(occurrence.killUrl !== null && { kill_link: occurrence.killUrl }),
      ...(tail !== null && { last_lines: lastLines(tail, MAX_TAIL_CHARS) }),
    },
    ...(!isOver && { startsAt: time(at) }),
    endsAt: time(isOver ? at : at + (message.isTest ? TEST_MS : UNRESOLVED_MS)),
    generatorURL: occurrence.pageUrl,
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
