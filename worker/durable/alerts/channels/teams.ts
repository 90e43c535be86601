/**
 * Microsoft Teams, by the workflow "When a Teams webhook request is received", which takes adaptive cards. (The connectors of
 * Office 365, which took message cards, are retired.)
 *
 * All text of others is in text runs, in which a card knows no Markdown.
 */
import type { Message } from '../message.ts';
import type { PostRequest } from './post.ts';
import { inBytes, lastLines, truncate } from './text.ts';
import { type Severity, type Wording, wordingOf } from './wording.ts';

/** A message of Teams may have 28 KB; the envelope and the workflow need some of it. */
const MAX_BODY_BYTES = 24_000;
const TAIL_CHARS = [6_000, 2_000, 500] as const;
const MAX_TEXT_CHARS = 300;

const COLORS: Readonly<Record<Severity, string>> = {
  critical: 'attention',
  error: 'attention',
  warning: 'warning',
  info: 'good',
};

export function teamsRequest(url: string, message: Message): PostRequest {
  const wording = wordingOf(message);
  const bodies = TAIL_CHARS.map((chars) => JSON.stringify(cardMessage(wording, chars)));
  const body = bodies.find((text) => inBytes(text) <= MAX_BODY_BYTES) ?? JSON.stringify(cardMessage(wording, 0));
  return { url, headers: { 'Content-Type': 'application/json' }, body };
}

function cardMessage(wording: Wording, maxTailChars: number): unknown {
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: cardOf(wording, maxTailChars),
      },
    ],
  };
}

function cardOf(
  { title, severity, facts, others, unlisted, tail, links, footer }: Wording,
  maxTailChars: number,
): unknown {
  return {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    // Of notifications.
    speak: plain(truncate(title, MAX_TEXT_CHARS)),
    fallbackText: plain(truncate(title, MAX_TEXT_CHARS)),
    msteams: { width: 'Full' },
    body: [
      paragraph([run(title, { weight: 'bolder', size: 'large', color: COLORS[severity] })]),
      ...facts.map(({ name, value }) => paragraph([run(`${name}: `, { weight: 'bolder' }), run(value)])),
      ...(tail === null || maxTailChars === 0
        ? []
        : lastLines(tail, maxTailChars)
            .split('\n')
            .map((line, index) => paragraph([run(line, { fontType: 'monospace' })], index === 0 ? 'medium' : 'none'))),
      ...others.map(({ text, pageUrl, killUrl }) =>
        paragraph([
          run('• '),
          run(text, { selectAction: openUrl('Open', pageUrl) }),
          ...(killUrl === null ? [] : [run(' · '), run('Kill', { selectAction: openUrl('Kill', killUrl) })]),
        ]),
      ),
      ...(unlisted === 0 ? [] : [paragraph([run(`and ${unlisted} more`)])]),
      paragraph([run(footer, { isSubtle: true })]),
    ],
    actions: links.map(({ text, url }) => openUrl(text, url)),
  };
}

function paragraph(inlines: readonly unknown[], spacing: 'small' | 'medium' | 'none' = 'small'): unknown {
  return { type: 'RichTextBlock', inlines, spacing };
}

function run(text: string, style: Readonly<Record<string, unknown>> = {}): unknown {
  // An empty run is an error.
  return {
    type: 'TextRun',
    text: plain(text.length > MAX_TEXT_CHARS ? truncate(text, MAX_TEXT_CHARS) : text) || ' ',
    ...style,
  };
}

function openUrl(title: string, url: string): unknown {
  return { type: 'Action.OpenUrl', title, url };
}

/** Cards replace `{{DATE(…)}}` and `{{TIME(…)}}` in any text. */
function plain(text: string): string {
  return text.replaceAll('{{', '{\u200b{');
}
