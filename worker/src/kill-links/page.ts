/**
 * The page behind a kill link: what runs, what it printed last, and one button. Rendered here, without a script, for a phone at
 * night. Pure.
 */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { Run } from '#protocol/api';
import { showInvisible } from '#protocol/invisible-characters';
import type { RunState } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import type { OutputTail } from '../../shared/output-tail.ts';
import { STYLE } from './style.ts';

/**
 * - `ready`: it can be used. `tail`: null if the output can't be read now
 * - `used`: this link has killed
 * - `over`: the run has ended, by itself or otherwise
 *
 * Times are epoch milliseconds.
 */
export type KillLinkPage =
  | { readonly kind: 'ready'; readonly run: Run; readonly tail: OutputTail | null; readonly expiresAt: number }
  | { readonly kind: 'used'; readonly run: Run; readonly tail: OutputTail | null; readonly usedAt: number }
  | { readonly kind: 'over'; readonly run: Run; readonly tail: OutputTail | null }
  | { readonly kind: 'expired'; readonly job: string; readonly run: string; readonly expiredAt: number }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'rate_limited' }
  | { readonly kind: 'unavailable' };

/** A phone shows no more of it at once. */
const MAX_COMMAND_CHARS = 500;
const MAX_PROCESSES = 5;

/** How often a page shows itself again while a kill is in progress. */
const REFRESH_SECONDS = 3;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing but its own style, and a form to its own address. */
const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** The address is a secret: no other site, cache or search engine may learn it. */
export const KILL_LINK_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Referrer-Policy': 'no-referrer',
  'X-Robots-Tag': 'noindex, nofollow, noarchive',
  'Cache-Control': 'no-store',
} as const;

type Html = ReturnType<typeof html>;

/** The page as HTML. All text of others is escaped. @param now epoch milliseconds */
export function killLinkPage(page: KillLinkPage, now: number): Html {
  const { title, body, refreshes = false } = contentOf(page, now);
  const refresh = refreshes ? html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}">` : '';
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="color-scheme" content="light dark">
${refresh}<title>${shown(title)}</title>
${raw(`<style>${STYLE}</style>`)}
</head>
<body><main>${body}</main></body>
</html>
`;
}

interface Content {
  readonly title: string;
  readonly body: Html;
  readonly refreshes?: boolean;
}

function contentOf(page: KillLinkPage, now: number): Content {
  switch (page.kind) {
    case 'ready':
      return ready(page, now);
    case 'used':
      return used(page, now);
    case 'over':
      return {
        title: `${page.run.job} has ended - Leash`,
        body: html`<h1>This run has ended</h1>
<p role="status">${endText(page.run)} There is nothing left to kill.</p>
${describe(page.run, page.tail, now)}${runLink(page.run)}`,
      };
    case 'expired':
      return {
        title: 'Link expired - Leash',
        body: html`<h1>This link has expired</h1>
<p>It could kill a run of <b>${shown(page.job)}</b> until ${time(page.expiredAt, now)}. It kills nothing any more.</p>
<p>To kill the run, sign in to Leash.</p>${runLink({ id: page.run })}`,
      };
    case 'unknown':
      return {
        title: 'Unknown link - Leash',
        body: html`<h1>This link does nothing</h1>
<p>It is incomplete, or it has expired, or its alert was deleted. Open the link from the message again, or sign in to Leash.</p>`,
      };
    case 'rate_limited':
      return {
        title: 'Try again in a minute - Leash',
        body: html`<h1>Try again in a minute</h1>
<p>Too many wrong links were opened from your network. This one was not looked up.</p>`,
      };
    case 'unavailable':
      return {
        title: 'Try again - Leash',
        body: html`<h1>Leash can’t answer right now</h1>
<p role="alert">Nothing was killed as far as is known. Try again: a run is killed once, however often you do.</p>
<form method="get"><button class="quiet">Try again</button></form>`,
      };
  }
}

function ready({ run, tail, expiresAt }: KillLinkPage & { kind: 'ready' }, now: number): Content {
  const { question, button, ends } = run.final ? OF_LEFTOVERS : OF_LIVE_RUN;
  return {
    title: `Kill ${run.job} on ${run.machine}? - Leash`,
    body: html`<h1>${question}</h1>
${isAway(run) ? html`<p class="warning">${AWAY} The kill is sent as soon as it is back.</p>` : ''}${describe(run, tail, now)}
<form method="post"><button>${button}</button>
<p>${ends} Works once, until ${clockTime(expiresAt)}.</p></form>
${runLink(run)}`,
  };
}

const OF_LIVE_RUN = { question: 'Kill this run?', button: 'Kill this run', ends: 'Ends this run only.' };
const OF_LEFTOVERS = {
  question: 'Kill what this run left running?',
  button: 'Kill what is left',
  ends: 'Ends the processes that this run left running.',
};

function used({ run, tail, usedAt }: KillLinkPage & { kind: 'used' }, now: number): Content {
  const isOver = run.final;
  return {
    title: `${run.job} on ${run.machine} - Leash`,
    body: html`<h1>${isOver ? 'This run has ended' : 'The kill is in progress'}</h1>
<p role="status">${isOver ? endText(run) : progressText(run)} The link was used ${time(usedAt, now)}, and works only once.</p>
${describe(run, tail, now)}${runLink(run)}`,
    refreshes: !isOver || run.left_running.length > 0,
  };
}

function progressText(run: Run): string {
  if (isAway(run)) return `The kill is stored. ${AWAY} It is sent as soon as it is back.`;
  return 'The kill is stored and sent. This page shows when the run has ended.';
}

const AWAY = 'The machine is not connected.';

function isAway(run: Run): boolean {
  return !run.connected;
}

function endText({ state, exit_code, left_running }: Run): string {
  const code = exit_code === null ? '' : ` (exit code ${exit_code})`;
  const left = left_running.length === 0 ? '' : ' Some processes are left: the page of the run lists them.';
  return `It ${END_TEXTS[state] ?? 'has ended'}${code}.${left}`;
}

const END_TEXTS: Partial<Readonly<Record<RunState, string>>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  killed: 'was killed',
  timed_out: 'reached its time limit',
  skipped: 'did not start',
};

/** What it takes to decide, the output included, before what is good to know. */
function describe(run: Run, tail: OutputTail | null, now: number): Html {
  const { owner = null, note = null, runbook = null } = run.about ?? {};
  return html`${list([
    ['Job', html`<b>${shown(run.job)}</b>`],
    ['Machine', shown(run.machine)],
    [run.state === 'waiting' ? 'Waiting' : 'Started', time(Date.parse(run.started_at), now)],
    ['Ended', run.ended_at === null ? null : time(Date.parse(run.ended_at), now)],
    ['Left', run.left_running.length === 0 ? null : leftText(run)],
    ['Note', note === null ? null : shown(note)],
  ])}${tailOf(tail)}${list([
    ['Command', html`<code>${shown(truncated(run.command_line))}</code>`],
    ['Owner', owner === null ? null : shown(owner)],
    ['Runbook', runbook === null ? null : runbookLink(runbook)],
  ])}`;
}

function leftText({ left_running: left }: Run): string {
  const named = left.slice(0, MAX_PROCESSES).map(({ pid, command_line }) => `${pid} ${command_line}`);
  const more = left.length > named.length ? `, and ${left.length - named.length} more` : '';
  return shown(truncated(named.join(', '))) + more;
}

function list(rows: readonly (readonly [name: string, value: Html | string | null])[]): Html {
  return html`<dl>${rows.map(([name, value]) => (value === null ? '' : html`<div><dt>${name}</dt><dd>${value}</dd></div>`))}</dl>`;
}

function truncated(text: string): string {
  return text.length <= MAX_COMMAND_CHARS ? text : `${text.slice(0, MAX_COMMAND_CHARS)}…`;
}

/** A run's reporter chose it: it is a link only if it leads to a web page. */
function runbookLink(runbook: string): Html | string {
  const url = URL.parse(runbook);
  const isWeb = url !== null && (url.protocol === 'https:' || url.protocol === 'http:');
  return isWeb ? html`<a href="${url.href}" rel="noreferrer noopener">${shown(runbook)}</a>` : shown(runbook);
}

function tailOf(tail: OutputTail | null): Html | string {
  if (tail === null) return html`<p class="soft">The output can’t be read right now.</p>`;
  if (tail.text === '') return html`<p class="soft">No output so far.</p>`;
  // The element in the reversed column shows its end first, without a script. It can be focused, or a keyboard can't scroll it.
  return html`<h2>${tail.isCut ? 'Last output' : 'Output'}</h2>
<div class="tail" tabindex="0" role="region" aria-label="Output"><pre>${showInvisible(tail.text, '\n\t')}</pre></div>`;
}

function runLink({ id }: Pick<Run, 'id'>): Html {
  return html`<p class="soft"><a href="/runs/${encodeURIComponent(id)}">Open the run in Leash</a> (sign-in required)</p>`;
}

/** `30 Nov 2026, 03:14 UTC (12m ago)`: a server knows no time zone, and the distance needs none. */
function time(ms: number, now: number): Html {
  return html`${clockTime(ms)} (${formatDuration(Math.max(0, now - ms))} ago)`;
}

function clockTime(ms: number): Html {
  const at = new Date(ms);
  const [, date = '', clock = ''] = /^\w+, (\d+ \w+ \d+) (\d+:\d+)/.exec(at.toUTCString()) ?? [];
  return html`<time datetime="${at.toISOString()}">${date}, ${clock} UTC</time>`;
}

function shown(text: string): string {
  return showInvisible(text);
}
