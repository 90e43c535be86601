import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { SIGNATURE_HEADER, WebhookBody } from '#protocol/alerts';
import { KIB } from '#protocol/limits';
import { requestsOf } from '../durable/alerts/channels/deliver.ts';
import { mailOf } from '../durable/alerts/channels/email.ts';
import { signature } from '../durable/alerts/channels/signature.ts';
import type { ChannelTarget, Message } from '../durable/alerts/message.ts';
import { AT, alertMessage, hostileMessage, toldOccurrence } from './support/alert-message.ts';

type PostedKind = Exclude<ChannelTarget['kind'], 'email'>;

const KILL = 'https://leash.example.com/k/secret';
const slow = toldOccurrence({ kind: 'slow', summary: 'runs for 2h', isAlive: true, killUrl: KILL });
const recovered = toldOccurrence({ kind: 'recovered', summary: 'succeeded again' });
const onOther = (given: Parameters<typeof toldOccurrence>[0] = {}) =>
  toldOccurrence({ machine: 'db2.example.com', ...given });

const url: Readonly<Record<PostedKind, string | null>> = {
  webhook: 'https://hooks.example.com/leash',
  slack: 'https://hooks.slack.com/services/T0/B0/s3cret',
  discord: 'https://discord.com/api/webhooks/1/s3cret?thread_id=7',
  teams: 'https://prod.logic.azure.com/workflows/1?sig=s3cret',
  pagerduty: null,
  ntfy: 'https://ntfy.example.com/push/alerts',
  alertmanager: 'https://alerts.example.com/am/',
};

function requests(kind: PostedKind, message: Message, secret: string | null = 's3cret') {
  return requestsOf({ kind, url: url[kind], secret }, message, AT).map((request) => ({
    ...request,
    json: JSON.parse(request.body),
  }));
}

function request(kind: PostedKind, message: Message, secret?: string | null) {
  const [first, ...others] = requests(kind, message, secret);
  if (first === undefined || others.length > 0) throw new Error('not one request');
  return first;
}

/** All texts in it, keys too. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...textsIn(part)]);
}

function partsOfType(value: unknown, type: string): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'type' in value && value.type === type ? [value as Record<string, unknown>] : [];
  return [...own, ...Object.values(value).flatMap((part) => partsOfType(part, type))];
}

const POSTED: readonly PostedKind[] = ['webhook', 'slack', 'discord', 'teams', 'pagerduty', 'ntfy', 'alertmanager'];

describe.each(POSTED)('%s', (kind) => {
  test('says what happened to which job where, what it printed last, where to look and how to kill', () => {
    const text = requests(kind, alertMessage({ occurrences: [slow] }))
      .map(({ body }) => body)
      .join('');
    for (const part of ['backup', 'db1.example.com', 'runs for 2h', 'no space left on device', slow.pageUrl, KILL]) {
      expect(text).toContain(part);
    }
  });

  test('has no kill link where there is none, and no last lines', () => {
    const { body } = request(kind, alertMessage({ tail: null }));
    expect(body).not.toContain('/k/');
    expect(body.toLowerCase()).not.toContain('kill');
  });

  test('shows invisible characters, whatever is reported', () => {
    for (const { body } of requests(kind, hostileMessage())) {
      // JSON of a webhook has them as they are.
      if (kind !== 'webhook') expect(body).not.toMatch(/\u202e|\\u202e|\\u0007/);
      expect(body.length).toBeLessThan(512 * KIB);
    }
  });

  test('sends the same when the same is sent again', () => {
    expect(requests(kind, hostileMessage())).toEqual(requests(kind, hostileMessage()));
  });
});

describe('a storm', () => {
  test.each(POSTED.filter((kind) => kind !== 'webhook' && kind !== 'alertmanager'))(
    'is one message of %s, which lists the first and counts the rest',
    (kind) => {
      const occurrences = Array.from({ length: 30 }, (_, n) => toldOccurrence({ machine: `web${n}.example.com` }));
      const { body } = request(kind, alertMessage({ occurrences: [toldOccurrence(), ...occurrences], count: 300 }));
      expect(body).toContain('300 alerts: backup failed on db1.example.com, and 299 more');
      expect(body).toContain('web9.example.com');
      expect(body).not.toContain('web10.example.com');
      expect(body).toMatch(/289/);
    },
  );
});

test('a webhook is what its schema says, and signed', () => {
  const message = alertMessage({ occurrences: [slow, onOther()], count: 7 });
  const { headers, body, json } = request('webhook', message);
  expect(v.parse(WebhookBody, json)).toEqual(json);
  expect(json).toMatchObject({
    id: message.id,
    kind: 'slow',
    job: 'backup',
    at: '2026-11-30T03:14:15.000Z',
    links: { page: slow.pageUrl, kill: KILL },
    count: 7,
    tail: 'copying a\ncopying b\nno space left on device',
  });
  expect(json.occurrences).toHaveLength(2);
  expect(json.occurrences[1].links).toEqual({ page: slow.pageUrl });
  expect(headers[SIGNATURE_HEADER]).toBe(signature('s3cret', body, AT));
  expect(request('webhook', message, null).headers).not.toHaveProperty(SIGNATURE_HEADER);
});

test('a signature is the HMAC of time and body', () => {
  // By `printf '1764472455.{"n":1}' | openssl dgst -sha256 -hmac s3cret`.
  expect(signature('s3cret', '{"n":1}', 1_764_472_455_999)).toBe(
    't=1764472455,v1=5c3bfe46d7e22a58473173dfb1052e8a37476c9a326b5e11eb55e82e86700fb5',
  );
});

describe('slack', () => {
  test('has text of others only where Slack looks for nothing', () => {
    const { json } = request('slack', hostileMessage());
    expect(partsOfType(json, 'mrkdwn')).toEqual([]);
    expect(json.mrkdwn).toBe(false);
    expect(json.text).not.toMatch(/[<>]/);
    const types = new Set(
      json.blocks.flatMap((block: unknown) =>
        [...JSON.stringify(block).matchAll(/"type":"(\w+)"/g)].map(([, type]) => type),
      ),
    );
    expect([...types].toSorted()).toEqual([
      'header',
      'link',
      'plain_text',
      'rich_text',
      'rich_text_list',
      'rich_text_preformatted',
      'rich_text_section',
      'text',
    ]);
    for (const link of partsOfType(json, 'link')) expect(link.url).toMatch(/^https:\/\/(leash|wiki)\.example\.com\//);
  });

  test('stays below what Slack refuses', () => {
    const { json } = request('slack', hostileMessage());
    expect(json.blocks[0].text.text.length).toBeLessThanOrEqual(150);
    expect(JSON.stringify(json.blocks).length).toBeLessThan(13_000);
  });
});

describe('discord', () => {
  test('mentions no one, escapes Markdown, and waits for the message to be stored', () => {
    const { url: address, json } = request('discord', hostileMessage());
    expect(address).toBe('https://discord.com/api/webhooks/1/s3cret?thread_id=7&wait=true');
    expect(json.allowed_mentions).toEqual({ parse: [] });
    expect(json.content).not.toMatch(/(?<!\\)[*_~`|<@#[\]()]/);
    for (const { value } of json.embeds[0].fields) expect(value).not.toMatch(/(?<!\\)[*_~`|<@#[\]()]/);
    const [, block = ''] = /^```\n(.*?)\n```$/ms.exec(json.embeds[0].description) ?? [];
    expect(block).toContain('the very last line');
    expect(block).not.toContain('```');
    const outside = json.embeds[0].description.replace(block, '');
    const links = [...outside.matchAll(/(?<!\\)\]\((.*?)\)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) expect(link).toMatch(/^<https:\/\/leash\.example\.com\//);
  });

  test('keeps within the limits of an embed', () => {
    for (const message of [hostileMessage(), { ...hostileMessage(), tail: null }]) {
      const { json } = request('discord', message);
      const [{ title, description, fields, footer }] = json.embeds;
      expect(json.content.length).toBeLessThanOrEqual(2_000);
      expect(title.length).toBeLessThanOrEqual(256);
      expect(description.length).toBeLessThanOrEqual(4_096);
      for (const field of fields) expect(field.value.length).toBeLessThanOrEqual(1_024);
      const fieldChars = fields.map((field: { name: string; value: string }) => field.name + field.value).join('');
      expect(`${title}${description}${fieldChars}${footer.text}`.length).toBeLessThanOrEqual(6_000);
    }
  });
});

describe('teams', () => {
  test('is an adaptive card of at most 28 KB, whose text is in runs, which know no Markdown', () => {
    const { body, json } = request('teams', hostileMessage());
    expect(Buffer.byteLength(body)).toBeLessThan(28 * 1000);
    expect(json.attachments[0].contentType).toBe('application/vnd.microsoft.card.adaptive');
    expect(partsOfType(json, 'TextBlock')).toEqual([]);
    expect(partsOfType(json, 'TextRun').length).toBeGreaterThan(10);
    expect(body).not.toContain('{{');
    expect(body).toContain('the very last line');
    for (const action of partsOfType(json, 'Action.OpenUrl')) {
      expect(action.url).toMatch(/^https:\/\/(leash|wiki)\.example\.com\//);
    }
  });
});

describe('pagerduty', () => {
  test('resolves what it has triggered for a job on a machine', () => {
    const trigger = request('pagerduty', alertMessage());
    const resolve = request('pagerduty', alertMessage({ id: 'later', occurrences: [recovered] }));
    expect(trigger.url).toBe('https://events.pagerduty.com/v2/enqueue');
    expect(trigger.json).toMatchObject({
      routing_key: 's3cret',
      event_action: 'trigger',
      payload: { severity: 'error', source: 'db1.example.com', component: 'backup', class: 'failed' },
    });
    expect(resolve.json).toEqual({
      routing_key: 's3cret',
      event_action: 'resolve',
      dedup_key: trigger.json.dedup_key,
    });
    expect(request('pagerduty', alertMessage({ occurrences: [onOther()] })).json.dedup_key).not.toBe(
      trigger.json.dedup_key,
    );
  });

  test('what happens to one job on one machine at once is one incident, which can be resolved', () => {
    const leftovers = toldOccurrence({ kind: 'leftovers' });
    const both = request('pagerduty', alertMessage({ occurrences: [toldOccurrence(), leftovers] }));
    expect(both.json.dedup_key).toBe(request('pagerduty', alertMessage()).json.dedup_key);
  });

  test('one machine that recovers does not end the incident of a storm', () => {
    const storm = request('pagerduty', alertMessage({ occurrences: [toldOccurrence(), onOther()] }));
    const resolve = request('pagerduty', alertMessage({ occurrences: [recovered] }));
    expect(storm.json.dedup_key).not.toBe(resolve.json.dedup_key);
    const more = request('pagerduty', alertMessage({ occurrences: [toldOccurrence()], count: 2 }));
    expect(more.json.dedup_key).not.toBe(resolve.json.dedup_key);
  });

  test('a group of both is one event for the problems, and one for each that has recovered', () => {
    const message = alertMessage({
      occurrences: [recovered, onOther({ kind: 'recovered' }), onOther({ job: 'sync' })],
    });
    const events = requests('pagerduty', message).map(({ json }) => [json.event_action, json.dedup_key]);
    expect(events).toEqual([
      ['trigger', 'leash/job/sync/db2.example.com'],
      ['resolve', 'leash/job/backup/db1.example.com'],
      ['resolve', 'leash/job/backup/db2.example.com'],
    ]);
  });

  test('what has recovered and failed again is not resolved', () => {
    const again = toldOccurrence({ at: recovered.at + 1 });
    const actions = (...occurrences: Message['occurrences']) =>
      requests('pagerduty', alertMessage({ occurrences })).map(({ json }) => json.event_action);
    expect(actions(again, recovered)).toEqual(['trigger']);
    expect(actions({ ...again, at: recovered.at - 1 }, recovered)).toEqual(['trigger', 'resolve']);
  });

  test('keys and summaries keep within their limits', () => {
    const { json } = request('pagerduty', hostileMessage());
    expect(json.payload.summary.length).toBeLessThanOrEqual(1_024);
    const long = toldOccurrence({ job: 'j'.repeat(128), machine: 'm'.repeat(253) });
    const { dedup_key } = request('pagerduty', alertMessage({ occurrences: [long] })).json;
    expect(dedup_key.length).toBeLessThanOrEqual(255);
  });
});

describe('ntfy', () => {
  test('goes to the topic at the end of the URL, with a token', () => {
    const { url: address, headers, json } = request('ntfy', alertMessage({ occurrences: [slow] }));
    expect(address).toBe('https://ntfy.example.com/push/');
    expect(headers.Authorization).toBe('Bearer s3cret');
    expect(json).toMatchObject({ topic: 'alerts', title: 'backup is slow on db1.example.com', priority: 3 });
    // Nothing that kills with one tap.
    expect(json.actions.map(({ action, label }: { action: string; label: string }) => [action, label])).toEqual([
      ['view', 'Open the run'],
      ['view', 'Runbook'],
      ['view', 'Kill this run'],
    ]);
  });

  test('keeps within the 4,096 bytes of a message', () => {
    const { json } = request('ntfy', hostileMessage());
    expect(Buffer.byteLength(json.message)).toBeLessThanOrEqual(4_096);
    expect(json.message).toContain('the very last line');
    expect(json).not.toHaveProperty('markdown');
    const many = '🔥'.repeat(5_000);
    expect(Buffer.byteLength(request('ntfy', alertMessage({ tail: many })).json.message)).toBeLessThanOrEqual(4_096);
  });
});

describe('alertmanager', () => {
  test('a problem and its end are alerts with the same labels', () => {
    const problem = request('alertmanager', alertMessage());
    const end = request('alertmanager', alertMessage({ occurrences: [{ ...recovered, at: AT + 60_000 }] }));
    expect(problem.url).toBe('https://alerts.example.com/am/api/v2/alerts');
    expect(problem.json[0].labels).toEqual({
      alertname: 'LeashJob',
      job: 'backup',
      machine: 'db1.example.com',
      leash_alert: 'on call',
    });
    expect(end.json[0].labels).toEqual(problem.json[0].labels);
    expect(problem.json[0].startsAt).toBe('2026-11-30T03:14:15.000Z');
    expect(problem.json[0].endsAt).toBe('2026-12-07T03:14:15.000Z');
    expect(end.json[0].endsAt).toBe('2026-11-30T03:15:15.000Z');
    expect(end.json[0]).not.toHaveProperty('startsAt');
  });

  test('of one job on one machine, the newest counts', () => {
    const later = { ...recovered, at: AT + 1 };
    const { json } = request('alertmanager', alertMessage({ occurrences: [later, toldOccurrence(), onOther()] }));
    expect(json.map((alert: { annotations: { kind: string } }) => alert.annotations.kind).toSorted()).toEqual([
      'failed',
      'recovered',
    ]);
  });

  test.each([
    ['https://am.example.com', 'https://am.example.com/api/v2/alerts'],
    ['https://am.example.com/api/v2/alerts', 'https://am.example.com/api/v2/alerts'],
    ['https://am.example.com/x?tenant=1', 'https://am.example.com/x/api/v2/alerts?tenant=1'],
  ])('%s', (base, address) => {
    const [posted] = requestsOf({ kind: 'alertmanager', url: base, secret: 'me:pw' }, alertMessage(), AT);
    expect(posted).toMatchObject({ url: address, headers: { Authorization: `Basic ${btoa('me:pw')}` } });
  });
});

describe('mail', () => {
  test('says it twice: as text, and as HTML in which all is escaped', () => {
    const mail = mailOf('leash@example.com', 'oncall@example.com', alertMessage({ occurrences: [slow] }));
    expect(mail.subject).toBe('[Leash] backup is slow on db1.example.com');
    for (const body of [mail.text, mail.html]) expect(body).toContain(KILL);
    const hostile = mailOf('leash@example.com', 'oncall@example.com', hostileMessage());
    expect(hostile.subject).not.toMatch(/[\r\n]/);
    expect(hostile.html).not.toContain('<script');
    expect(hostile.html).not.toContain('javascript:');
    expect([...hostile.html.matchAll(/href="([^"]*)"/g)].every(([, href]) => href?.startsWith('https://'))).toBe(true);
    expect(hostile.text.length + hostile.html.length).toBeLessThan(200_000);
  });
});

test('a test says that it is one', () => {
  const message = alertMessage({ isTest: true });
  expect(request('ntfy', message).json.title).toMatch(/^Test: /);
  expect(request('webhook', message).json.is_test).toBe(true);
  expect(request('alertmanager', message).json[0].labels.alertname).toBe('LeashTest');
  expect(request('pagerduty', message).json.dedup_key).toMatch('group');
});

test('no text of a message is lost in it', () => {
  expect(textsIn(request('teams', alertMessage()).json).join('\n')).toContain('data team');
});
