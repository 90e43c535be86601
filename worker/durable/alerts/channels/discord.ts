/** Discord, by a webhook: one embed. Mentions are off, and Markdown is escaped. */
import type { Message } from '../message.ts';
import type { PostRequest } from './post.ts';
import { lastLines, truncate } from './text.ts';
import { type Severity, wordingOf } from './wording.ts';

// Discord's limits: https://discord.com/developers/docs/resources/message#embed-object-embed-limits. An escape counts, too.
const MAX_TITLE_CHARS = 256;
const MAX_DESCRIPTION_CHARS = 4_096;
const MAX_FIELD_CHARS = 1_024;
const MAX_FOOTER_CHARS = 2_048;
const MAX_CONTENT_CHARS = 2_000;
/** Leaves the embed's 6,000 room for the rest. */
const MAX_FIELDS_CHARS = 1_200;
/** Leaves the description room for the list. */
const MAX_TAIL_CHARS = 2_000;
const MAX_LINE_CHARS = 120;

const COLORS: Readonly<Record<Severity, number>> = {
  critical: 0xb3261e,
  error: 0xb3261e,
  warning: 0xc98a00,
  info: 0x1c6e3d,
};

export function discordRequest(url: string, message: Message): PostRequest {
  const { title, severity, facts, others, unlisted, tail, links, footer } = wordingOf(message);
  const address = new URL(url);
  // Without it, Discord answers before it has stored the message.
  address.searchParams.set('wait', 'true');
  const lines = [
    links.map((link) => maskedLink(link.text, link.url)).join(' · '),
    ...(tail === null ? [] : [codeBlock(lastLines(tail, MAX_TAIL_CHARS))]),
    ...others.map(
      ({ text, pageUrl, killUrl }) =>
        `- ${maskedLink(truncate(text, MAX_LINE_CHARS), pageUrl)}${killUrl === null ? '' : ` · ${maskedLink('Kill', killUrl)}`}`,
    ),
    ...(unlisted === 0 ? [] : [`and ${unlisted} more`]),
  ];
  const body = {
    // Notifications show no embeds.
    content: escaped(title, MAX_CONTENT_CHARS),
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: escaped(title, MAX_TITLE_CHARS),
        url: message.occurrences[0].pageUrl,
        color: COLORS[severity],
        description: wholeLines(lines, MAX_DESCRIPTION_CHARS),
        fields: facts.map(({ name, value }) => ({
          name,
          value: escaped(value, Math.min(MAX_FIELD_CHARS, Math.floor(MAX_FIELDS_CHARS / facts.length) - name.length)),
          inline: value.length < 40,
        })),
        footer: { text: truncate(footer, MAX_FOOTER_CHARS) },
        timestamp: new Date(message.at).toISOString(),
      },
    ],
  };
  return { url: address.href, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

/** As many of the lines as fit: a link that is cut in the middle would show its address as text. */
function wholeLines(lines: readonly string[], max: number): string {
  const mark = '…';
  let text = lines[0] ?? '';
  for (const line of lines.slice(1)) {
    if (text.length + line.length + 2 + mark.length > max) return `${text}\n${mark}`;
    text += `\n${line}`;
  }
  return text;
}

function maskedLink(text: string, url: string): string {
  return `[${escaped(text, MAX_LINE_CHARS)}](<${url}>)`;
}

/** Escaped first and cut then, before an escape rather than in it. */
function escaped(text: string, max: number): string {
  const all = text.replaceAll(/[\\*_~`|>#[\]()<@]/g, '\\$&');
  return all.length <= max ? all : `${all.slice(0, max - 1).replace(/\\$/, '')}…`;
}

/** The only thing that ends a code block is its fence. */
function codeBlock(text: string): string {
  return `\`\`\`\n${text.replaceAll('```', '`\u200b`\u200b`')}\n\`\`\``;
}
