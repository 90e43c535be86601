/** Entries of the audit as sentences that begin with who did it. Pure. */
import * as v from 'valibot';
import type { AuditEntry } from '#protocol/api';
import { KillInclude, KillSignal } from '#protocol/kill';
import { mannerText, matchText } from '../../format/kill-labels.ts';
import type { RunName } from '../../state/run-ref.ts';

export interface Sentence {
  /** What was done, after the actor's name. */
  readonly deed: string;
  readonly tone: 'plain' | 'warn';
  /** A time that goes with it: since when the old secret is worth nothing, when a new token ends. */
  readonly until: { readonly words: string; readonly at: string } | null;
  readonly job: string | null;
  readonly kill: string | null;
  /** The one run that a kill was for. */
  readonly run: string | null;
}

const nullable = <Schema extends v.GenericSchema>(schema: Schema) => v.optional(v.nullable(schema), null);

const KillDetail = v.object({
  kill: v.string(),
  run: nullable(v.string()),
  instance: nullable(v.string()),
  machine: nullable(v.string()),
  signal: nullable(KillSignal),
  grace_ms: nullable(v.number()),
  include: nullable(KillInclude),
  reason: nullable(v.string()),
});
const CreatedDetail = v.object({
  name: v.string(),
  scopes: v.array(v.string()),
  jobs: v.string(),
  machines: v.string(),
  expires_at: nullable(v.string()),
});
const RotatedDetail = v.object({ old_ends_at: v.string() });
const ConflictDetail = v.object({ run: v.string(), machine: v.string(), first_job: v.string() });
const RefusedDetail = v.object({ code: v.string() });

/** What is known by id, and is to be told by name; null for what is not known. */
export interface Names {
  token(id: string): string | null;
  /** Where a run is. */
  machineOf(run: RunName, kill: string): string | null;
}

export function sentenceOf(entry: AuditEntry, names: Names): Sentence {
  const token = () => {
    const name = names.token(entry.subject);
    return name === null ? `the token ${entry.subject}` : `the token “${name}”`;
  };
  switch (entry.action) {
    case 'kill':
      return killSentence(entry, names);
    case 'token_created':
      return createdSentence(entry);
    case 'token_rotated':
      return rotatedSentence(entry, token());
    case 'token_deleted':
      return plain(`deleted ${token()}, and ended all that was opened with it`);
    case 'signed_in':
      return plain('signed in to the page');
    case 'signed_out':
      return plain('signed out of the page');
    case 'refused':
      return refusedSentence(entry);
    case 'run_conflict':
      return conflictSentence(entry);
  }
}

function killSentence({ subject: job, detail }: AuditEntry, names: Names): Sentence {
  const read = v.safeParse(KillDetail, detail);
  if (!read.success) return { ...plain(`ordered a kill of ${job}`), job };
  const { kill, run, signal, grace_ms, include, reason } = read.output;
  const machine = run === null ? null : names.machineOf({ id: run, job }, kill);
  const what = machine === null ? matchText({ ...read.output, targets: [] }) : `one run, on ${machine}`;
  const why = reason === null ? '' : `: “${reason}”`;
  const deed = `ordered a kill of ${job}, ${what} (${mannerText(signal, grace_ms, include)})${why}`;
  return { ...plain(deed), job, kill, run };
}

function createdSentence({ detail }: AuditEntry): Sentence {
  const read = v.safeParse(CreatedDetail, detail);
  if (!read.success) return plain('made a token');
  const { name, scopes, jobs, machines, expires_at } = read.output;
  const where = machines === '*' ? '' : ` on the machines ${machines}`;
  const deed = `made the token “${name}”, which may ${scopes.join(', ')} for ${jobs === '*' ? 'all jobs' : `the jobs ${jobs}`}${where}`;
  return { ...plain(deed), until: expires_at === null ? null : { words: 'until', at: expires_at } };
}

/** An end this close to the rotation was meant to be at once. */
const AT_ONCE_MS = 1_000;

function rotatedSentence({ at, detail }: AuditEntry, token: string): Sentence {
  const read = v.safeParse(RotatedDetail, detail);
  const deed = `gave ${token} a new secret`;
  if (!read.success) return plain(deed);
  const { old_ends_at } = read.output;
  if (Date.parse(old_ends_at) - Date.parse(at) <= AT_ONCE_MS) {
    return plain(`${deed} and ended the old one at once, with all that was opened with it`);
  }
  return { ...plain(deed), until: { words: 'and left the old one valid until', at: old_ends_at } };
}

function refusedSentence({ subject, detail }: AuditEntry): Sentence {
  const read = v.safeParse(RefusedDetail, detail);
  const code = read.success ? read.output.code : 'many';
  const deed = `was refused to ${CALLS[subject] ?? `call ${subject}`}: ${REASONS[code] ?? code}`;
  return { ...plain(deed), tone: isOfOpenPage(subject, code) ? 'plain' : 'warn' };
}

/** @returns what follows “The control plane” */
function conflictSentence({ subject: job, detail }: AuditEntry): Sentence {
  const read = v.safeParse(ConflictDetail, detail);
  if (!read.success) {
    const deed = 'saw more jobs report runs with the ids of other jobs’ runs: the metric counts them';
    return { ...plain(deed), tone: 'warn' };
  }
  const { run, machine, first_job } = read.output;
  const deed = `saw ${job} on ${machine} report a run whose id ${first_job} had reported before. Each keeps its own run`;
  return { ...plain(deed), tone: 'warn', job, run };
}

/** A page that was left open asks on when its token was deleted or its session has ended: nothing to be alarmed at. */
function isOfOpenPage(operation: string, code: string): boolean {
  return code === 'unauthenticated' && OF_OPEN_PAGE.includes(operation);
}

const OF_OPEN_PAGE: readonly string[] = ['getSession', 'watchFleet', 'watchJob'];

function plain(deed: string): Sentence {
  return { deed, tone: 'plain', until: null, job: null, kill: null, run: null };
}

/** What a call is for, by its `operationId`. */
const CALLS: Readonly<Record<string, string>> = {
  many: 'do many different things',
  signIn: 'sign in to the page',
  signOut: 'sign out',
  getSession: 'go on with a session of the page',
  connectWrapper: 'connect a run',
  watchJob: 'watch a job',
  watchFleet: 'watch what runs',
  killJob: 'kill runs of a job',
  killMany: 'kill many runs at once',
  listJobs: 'list the jobs',
  getJob: 'read a job',
  listRuns: 'list the runs',
  getRun: 'read a run',
  listRunEvents: 'read what happened to a run',
  getRunOutput: 'read the output of a run',
  listKills: 'list the kills',
  getKill: 'read a kill',
  listTokens: 'list the tokens',
  createToken: 'make a token',
  rotateToken: 'give a token a new secret',
  deleteToken: 'delete a token',
  listAudit: 'read the audit',
  getMetrics: 'read the metrics',
};

const REASONS: Readonly<Record<string, string>> = {
  many: 'for various reasons',
  unauthenticated: 'it showed no token or session that is valid, or one that no longer is',
  token_expired: 'the token has expired',
  token_rotated: 'the secret was replaced by a new one',
  forbidden: 'the token does not allow it',
  wrong_origin: 'the call came from another page',
  rate_limited: 'there were too many such calls',
};
