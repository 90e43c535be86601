/**
 * Slack, by an incoming webhook. All text is in rich text blocks, in which Slack looks for neither mrkdwn nor mentions: so
 * nothing has to be escaped there.
 *
 * Links, not buttons: a button in the message of an app without an interactivity URL shows a warning when it is pressed.
 */
import type { Message } from '../message.ts';
import type { PostRequest } from './post.ts';
import { lastLines, truncate } from './text.ts';
import { type ListedOccurrence, type Severity, type Wording, wordingOf } from './wording.ts';

/** Of a header block. */
const MAX_HEADER_CHARS = 150;
/** Slack refuses blocks of about 13,000 characters in all (`msg_blocks_too_long`), a limit that it doesn't document. */
const MAX_BLOCKS_CHARS = 12_000;
/** The first of them with which all blocks fit. */
const TAIL_CHARS = [3_000, 1_500, 500] as const;
const MIN_TAIL_CHARS = 100;
const MAX_TEXT_CHARS = 250;

const MARKS: Readonly<Record<Severity, string>> = { critical: '🔴', error: '🔴', warning: '🟠', info: '🟢' };

type TextElement =
  | { readonly type: 'text'; readonly text: string; readonly style?: { readonly bold?: true } }
  | { readonly type: 'link'; readonly url: string; readonly text: string };

export function slackRequest(url: string, message: Message): PostRequest {
  const wording = wordingOf(message);
  const title = `${MARKS[wording.severity]} ${wording.title}`;
  const body = {
    // For notifications and clients that don't show blocks. There, `<!channel>` would call everyone.
    text: escapeControl(truncate(title, MAX_TEXT_CHARS)),
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: blocksOf(title, wording),
  };
  return { url, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

function blocksOf(title: string, wording: Wording): unknown[] {
  const withTail = (tailChars: number) => [
    { type: 'header', text: { type: 'plain_text', text: truncate(title, MAX_HEADER_CHARS), emoji: false } },
    { type: 'rich_text', elements: richText(wording, tailChars) },
  ];
  const fits = (tailChars: number) => JSON.stringify(withTail(tailChars)).length <= MAX_BLOCKS_CHARS;
  return withTail(TAIL_CHARS.find(fits) ?? MIN_TAIL_CHARS);
}

function richText(wording: Wording, tailChars: number): unknown[] {
  const { facts, others, unlisted, tail, links, footer } = wording;
  return [
    section(facts.flatMap(({ name, value }) => [bold(`${name}: `), text(`${truncate(value, MAX_TEXT_CHARS)}\n`)])),
    ...(tail === null ? [] : [{ type: 'rich_text_preformatted', elements: [text(lastLines(tail, tailChars))] }]),
    ...(others.length === 0
      ? []
      : [{ type: 'rich_text_list', style: 'bullet', elements: others.map((other) => section(listed(other))) }]),
    ...(unlisted === 0 ? [] : [section([text(`and ${unlisted} more\n`)])]),
    section([
      ...links.flatMap((link, index) => [...(index === 0 ? [] : [text(' · ')]), { type: 'link' as const, ...link }]),
      text(`\n${truncate(footer, MAX_TEXT_CHARS)}`),
    ]),
  ];
}

function listed({ text: line, pageUrl, killUrl }: ListedOccurrence): TextElement[] {
  return [
    { type: 'link', url: pageUrl, text: truncate(line, MAX_TEXT_CHARS) },
    ...(killUrl === null ? [] : [text(' · '), { type: 'link' as const, url: killUrl, text: 'Kill' }]),
  ];
}

function section(elements: readonly TextElement[]): unknown {
  return { type: 'rich_text_section', elements };
}

function text(content: string): TextElement {
  return { type: 'text', text: content };
}

function bold(content: string): TextElement {
  return { type: 'text', text: content, style: { bold: true } };
}

/** The three characters that begin what Slack takes for a mention or link. */
function escapeControl(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
