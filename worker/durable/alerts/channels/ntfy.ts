/** ntfy: a message to a topic, as JSON. Its text is plain: Markdown is off unless asked for. */
import type { ChannelTarget, Message } from '../message.ts';
import type { PostRequest } from './post.ts';
import { inBytes, lastLines, truncate } from './text.ts';
import { type Severity, type Wording, wordingOf } from './wording.ts';

/** Of the text; a longer one arrives as an attachment. Servers may be set to another limit. */
const MAX_MESSAGE_BYTES = 4_096;
const MAX_TITLE_BYTES = 250;
const MAX_LINE_CHARS = 200;
/** At most as many as a notification shows. */
const MAX_ACTIONS = 3;
/** The links and the list come first: the end of the output gets what they leave. */
const MIN_TAIL_BYTES = 200;

const PRIORITIES: Readonly<Record<Severity, number>> = { critical: 5, error: 4, warning: 3, info: 2 };
const TAGS: Readonly<Record<Severity, string>> = {
  critical: 'rotating_light',
  error: 'rotating_light',
  warning: 'warning',
  info: 'white_check_mark',
};

/** `https://ntfy.sh/mytopic`: where the server is, and the topic. Null without a topic. */
export function readTopic(url: string): { readonly server: string; readonly topic: string } | null {
  const { origin, pathname } = new URL(url);
  const [, path = '', topic] = /^(.*?)\/([A-Za-z0-9_-]{1,64})\/?$/.exec(pathname) ?? [];
  return topic === undefined ? null : { server: `${origin}${path}/`, topic };
}

export function ntfyRequest({ secret }: ChannelTarget, url: string, message: Message): PostRequest {
  const { server, topic } = readTopic(url) ?? { server: url, topic: '' };
  const wording = wordingOf(message);
  const body = {
    topic,
    title: truncate(wording.title, MAX_TITLE_BYTES, inBytes),
    message: textOf(wording),
    priority: PRIORITIES[wording.severity],
    tags: [TAGS[wording.severity]],
    click: message.occurrences[0].pageUrl,
    // A page to look at, not a request: no tap on a notification kills.
    actions: wording.links
      .slice(-MAX_ACTIONS)
      .map(({ text, url: link }) => ({ action: 'view', label: text, url: link })),
  };
  return {
    url: server,
    headers: {
      'Content-Type': 'application/json',
      ...(secret !== null && { Authorization: `Bearer ${secret}` }),
    },
    body: JSON.stringify(body),
  };
}

function textOf({ facts, others, unlisted, tail, footer }: Wording): string {
  const lines = [
    ...facts.map(({ name, value }) => truncate(`${name}: ${value}`, MAX_LINE_CHARS)),
    ...others.map(({ text }) => truncate(`- ${text}`, MAX_LINE_CHARS)),
    ...(unlisted === 0 ? [] : [`and ${unlisted} more`]),
    truncate(footer, MAX_LINE_CHARS),
  ];
  const head = truncate(lines.join('\n'), MAX_MESSAGE_BYTES - MIN_TAIL_BYTES, inBytes);
  if (tail === null) return head;
  return `${head}\n\n${lastLines(tail, MAX_MESSAGE_BYTES - inBytes(head) - 2, inBytes)}`;
}
