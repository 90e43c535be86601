/** Mail, by the `send_email` binding of Cloudflare. */
import type { Message } from '../message.ts';
import { lastLines, truncate } from './text.ts';
import { type Wording, wordingOf } from './wording.ts';

/** Mail clients show less; a mail may have 998 in a line. */
const MAX_SUBJECT_CHARS = 200;
/** A mail may have 5 MiB. Nobody reads that. */
const MAX_TAIL_CHARS = 20_000;

export interface Mail {
  readonly from: { readonly email: string; readonly name: string };
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export function mailOf(from: string, to: string, message: Message): Mail {
  const wording = wordingOf(message);
  return {
    from: { email: from, name: 'Leash' },
    to,
    subject: truncate(`[Leash] ${wording.title}`, MAX_SUBJECT_CHARS),
    text: textOf(wording),
    html: htmlOf(wording),
  };
}

function textOf({ title, facts, others, unlisted, tail, links, footer }: Wording): string {
  return [
    title,
    '',
    ...facts.map(({ name, value }) => `${name}: ${value}`),
    '',
    ...links.map(({ text, url }) => `${text}: ${url}`),
    ...(tail === null ? [] : ['', 'Last lines:', '', lastLines(tail, MAX_TAIL_CHARS)]),
    ...(others.length === 0 ? [] : ['', 'And also:', '']),
    ...others.flatMap(({ text, pageUrl, killUrl }) => [
      `- ${text}`,
      `  ${pageUrl}`,
      ...(killUrl === null ? [] : [`  Kill: ${killUrl}`]),
    ]),
    ...(unlisted === 0 ? [] : [`- and ${unlisted} more`]),
    '',
    '-- ',
    footer,
    '',
  ].join('\n');
}

function htmlOf({ title, facts, others, unlisted, tail, links, footer }: Wording): string {
  return [
    '<!doctype html><html lang="en"><body style="font-family: sans-serif">',
    `<h2>${escaped(title)}</h2>`,
    '<table>',
    ...facts.map(
      ({ name, value }) =>
        `<tr><td style="color: #59625f; padding-right: 1em">${name}</td><td>${escaped(value)}</td></tr>`,
    ),
    '</table>',
    `<p>${links.map(({ text, url }) => anchor(text, url)).join(' · ')}</p>`,
    ...(tail === null
      ? []
      : [
          `<pre style="padding: 8px; background: #f2f2f0; white-space: pre-wrap">${escaped(lastLines(tail, MAX_TAIL_CHARS))}</pre>`,
        ]),
    ...(others.length === 0 ? [] : ['<ul>']),
    ...others.map(
      ({ text, pageUrl, killUrl }) =>
        `<li>${anchor(text, pageUrl)}${killUrl === null ? '' : ` · ${anchor('Kill', killUrl)}`}</li>`,
    ),
    ...(others.length === 0 ? [] : [unlisted === 0 ? '</ul>' : `<li>and ${unlisted} more</li></ul>`]),
    `<p style="color: #59625f">${escaped(footer)}</p>`,
    '</body></html>',
  ].join('\n');
}

function anchor(text: string, url: string): string {
  return `<a href="${escaped(url)}">${escaped(text)}</a>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
