/** What every channel says of a message, before it is escaped and cut for a service. Pure. */
import type { OccurrenceKind } from '#protocol/alerts';
import { showInvisible } from '#protocol/invisible-characters';
import { formatDuration } from '#shared/format-duration';
import { plainOutput } from '../../../shared/plain-output.ts';
import type { Message, ToldOccurrence } from '../message.ts';

export type Severity = 'critical' | 'error' | 'warning' | 'info';

export interface Wording {
  readonly title: string;
  readonly severity: Severity;
  /** Of the first occurrence. */
  readonly facts: readonly Fact[];
  /** The occurrences after the first, as far as they are listed. */
  readonly others: readonly ListedOccurrence[];
  /** How many there are besides. */
  readonly unlisted: number;
  /** The last lines of the first one's output; null: none. */
  readonly tail: string | null;
  readonly links: readonly Link[];
  /** Which alert sent it. */
  readonly footer: string;
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface Link {
  readonly text: string;
  readonly url: string;
}

export interface ListedOccurrence {
  readonly text: string;
  readonly pageUrl: string;
  readonly killUrl: string | null;
}

/** Of a storm a message lists this many. */
const MAX_LISTED = 10;

/** What follows the name of the job. */
const VERBS: Readonly<Record<OccurrenceKind, string>> = {
  failed: 'failed',
  timed_out: 'timed out',
  errored: 'could not be run',
  lost: 'is lost',
  killed: 'was killed',
  survivors: 'has processes that survived a kill',
  leftovers: 'left processes running',
  late: 'is late',
  missed: 'was missed',
  slow: 'is slow',
  skipped: 'was skipped',
  kill_unanswered: 'does not answer a kill',
  recovered: 'has recovered',
  channel_broken: 'can’t send the messages of another alert',
  fine: 'is fine',
};

const SEVERITIES: Readonly<Record<OccurrenceKind, Severity>> = {
  failed: 'error',
  timed_out: 'error',
  errored: 'error',
  lost: 'error',
  killed: 'warning',
  survivors: 'critical',
  leftovers: 'warning',
  late: 'warning',
  missed: 'error',
  slow: 'warning',
  skipped: 'warning',
  kill_unanswered: 'critical',
  recovered: 'info',
  channel_broken: 'error',
  fine: 'info',
};

const BY_RANK: readonly Severity[] = ['critical', 'error', 'warning', 'info'];

export function wordingOf(message: Message): Wording {
  const [first, ...others] = message.occurrences;
  const listed = others.slice(0, MAX_LISTED);
  return {
    title: titleOf(message),
    severity: severityOf(message),
    facts: factsOf(first),
    others: listed.map((occurrence) => ({
      text: `${headline(occurrence)}: ${shown(occurrence.summary)}`,
      pageUrl: occurrence.pageUrl,
      killUrl: occurrence.killUrl,
    })),
    unlisted: Math.max(0, message.count - 1 - listed.length),
    tail: tailOf(message.tail),
    links: linksOf(first),
    footer: `Alert ${shown(message.alert.name)}`,
  };
}

/** `backup failed on db1`, `200 alerts: backup failed on db1, and 199 more`. */
function titleOf({ occurrences: [first], count, isTest }: Message): string {
  const about = count === 1 ? headline(first) : `${count} alerts: ${headline(first)}, and ${count - 1} more`;
  return isTest ? `Test: ${about}` : about;
}

export function headline({ job, kind, machine }: ToldOccurrence): string {
  return `${shown(job)} ${VERBS[kind]}${machine === null ? '' : ` on ${shown(machine)}`}`;
}

export function severityOf({ occurrences, isTest }: Message): Severity {
  if (isTest) return 'info';
  const ranks = occurrences.map(({ kind }) => BY_RANK.indexOf(SEVERITIES[kind]));
  return BY_RANK[Math.min(...ranks)] ?? 'error';
}

function factsOf({ job, machine, summary, exitCode, durationMs, at, owner, tags }: ToldOccurrence): Fact[] {
  const facts: readonly (readonly [name: string, value: string | null])[] = [
    ['What', summary],
    ['Job', job],
    ['Machine', machine],
    ['Exit code', exitCode === null ? null : String(exitCode)],
    ['Duration', durationMs === null ? null : formatDuration(durationMs)],
    ['Time', timeOf(at)],
    ['Owner', owner],
    ['Tags', tags.length === 0 ? null : tags.join(', ')],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [{ name, value: shown(value) }]));
}

/** A message may be sent hours later, when its channel works again. */
function timeOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function linksOf({ kind, run, pageUrl, killUrl, runbook }: ToldOccurrence): Link[] {
  return [
    {
      text: kind === 'channel_broken' ? 'Open the alerts' : run === null ? 'Open the job' : 'Open the run',
      url: pageUrl,
    },
    ...(runbook !== null && isWebUrl(runbook) ? [{ text: 'Runbook', url: runbook }] : []),
    ...(killUrl === null ? [] : [{ text: 'Kill this run', url: killUrl }]),
  ];
}

/** A run's reporter chose it, and some clients open any scheme. */
function isWebUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '');
}

/** The last lines as plain text. */
export function tailOf(tail: string | null): string | null {
  const text = tail === null ? '' : showInvisible(plainOutput(tail), '\n\t').replace(/^\n+|\s+$/g, '');
  return text === '' ? null : text;
}

/** In one line: a line break would let a name imitate what follows it. */
export function shown(text: string): string {
  return showInvisible(text);
}
