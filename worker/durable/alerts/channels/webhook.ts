/** A webhook: JSON as `WebhookBody` describes it, signed. */
import { SIGNATURE_HEADER, type WebhookBody } from '#protocol/alerts';
import type { ChannelTarget, Message, ToldOccurrence } from '../message.ts';
import type { PostRequest } from './post.ts';
import { signature } from './signature.ts';
import { tailOf } from './wording.ts';

export function webhookRequest(target: ChannelTarget, url: string, message: Message, now: number): PostRequest {
  const body = JSON.stringify(webhookBody(message));
  return {
    url,
    headers: {
      'Content-Type': 'application/json',
      ...(target.secret !== null && { [SIGNATURE_HEADER]: signature(target.secret, body, now) }),
    },
    body,
  };
}

function webhookBody(message: Message): WebhookBody {
  const [first] = message.occurrences;
  return {
    id: message.id,
    alert: message.alert,
    ...occurrenceOf(first),
    tail: tailOf(message.tail),
    occurrences: message.occurrences.map(occurrenceOf),
    count: message.count,
    is_test: message.isTest,
  };
}

type WebhookOccurrence = WebhookBody['occurrences'][number];

function occurrenceOf(occurrence: ToldOccurrence): WebhookOccurrence {
  const { kind, at, job, machine, run, summary, exitCode, durationMs, tags, owner, runbook } = occurrence;
  return {
    kind: kind === 'fine' ? 'recovered' : kind,
    at: new Date(at).toISOString(),
    job,
    machine,
    run,
    summary,
    exit_code: exitCode,
    duration_ms: durationMs,
    tags: [...tags],
    owner,
    runbook,
    links: { page: occurrence.pageUrl, ...(occurrence.killUrl !== null && { kill: occurrence.killUrl }) },
  };
}
