/** Audit entries as sentences that start with the actor. Pure. */
import * as v from 'valibot';
import type { AuditEntry } from '#protocol/api';
import { scopeText } from '#protocol/brakes';
import { KillInclude, KillSignal } from '#protocol/kill';
import { matchText, optionsText } from '../../format/kill-labels.ts';
import type { RunName } from '../../state/run-ref.ts';

export interface Sentence {
  /** What was done, after the actor's name. */
  readonly deed: string;
  readonly tone: 'plain' | 'warn';
  /** A time at the end of the sentence: when the old secret or a new token expires. */
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
const BrakeDetail = v.object({
  jobs: v.array(v.string()),
  machines: v.array(v.string()),
  reason: nullable(v.string()),
  until: nullable(v.string()),
  kill: v.boolean(),
});
const RotatedDetail = v.object({ old_ends_at: v.string() });
const ConflictDetail = v.object({ run: v.string(), machine: v.string(), first_job: v.string() });
const AlertDetail = v.object({
  name: v.string(),
  error: v.optional(v.nullable(v.string())),
  muted_until: v.optional(v.nullable(v.string())),
});
const MachineDetail = v.object({ machine: nullable(v.string()) });
const RefusedDetail = v.object({ code: v.string() });

/** Names for ids; null where unknown. */
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
    case 'brake_created':
    case 'brake_ended':
      return brakeSentence(entry);
    case 'token_created':
      return createdSentence(entry);
    case 'token_rotated':
      return rotatedSentence(entry, token());
    case 'token_deleted':
      return plain(`deleted ${token()} and ended its sessions`);
    case 'alert_created':
    case 'alert_changed':
    case 'alert_deleted':
    case 'alert_tested':
      return alertSentence(entry, entry.action);
    case 'signed_in':
      return plain('signed in to the dashboard');
    case 'signed_out':
      return plain('signed out of the dashboard');
    case 'expectation_set':
      return expectationSentence(entry, 'set when runs are expected of');
    case 'expectation_removed':
      return expectationSentence(entry, 'removed what was expected of');
    case 'refused':
      return refusedSentence(entry);
    case 'run_conflict':
      return conflictSentence(entry);
  }
}

function expectationSentence({ subject: job, detail }: AuditEntry, deed: string): Sentence {
  const read = v.safeParse(MachineDetail, detail);
  const machine = read.success ? read.output.machine : null;
  return { ...plain(machine === null ? `${deed} ${job}` : `${deed} ${job} on ${machine}`), job };
}

function killSentence({ subject: job, detail }: AuditEntry, names: Names): Sentence {
  const read = v.safeParse(KillDetail, detail);
  if (!read.success) return { ...plain(`requested a kill of ${job}`), job };
  const { kill, run, signal, grace_ms, include, reason } = read.output;
  const machine = run === null ? null : names.machineOf({ id: run, job }, kill);
  const what = machine === null ? matchText({ ...read.output, targets: [] }) : `one run on ${machine}`;
  const why = reason === null ? '' : `: “${reason}”`;
  const deed = `requested a kill of ${job}, ${what} (${optionsText(signal, grace_ms, include)})${why}`;
  return { ...plain(deed), job, kill, run };
}

function brakeSentence({ action, detail }: AuditEntry): Sentence {
  const read = v.safeParse(BrakeDetail, detail);
  const verb = action === 'brake_created' ? 'set' : 'ended';
  if (!read.success) return plain(`${verb} a brake`);
  const { kill, reason, until } = read.output;
  const why = reason === null ? '' : `: “${reason}”`;
  const what = kill ? 'a brake on' : 'maintenance of';
  const deed = `${verb} ${what} ${scopeText(read.output)}${why}`;
  return until === null ? plain(deed) : { ...plain(`${deed},`), until: { words: 'until', at: until } };
}

function createdSentence({ detail }: AuditEntry): Sentence {
  const read = v.safeParse(CreatedDetail, detail);
  if (!read.success) return plain('created a token');
  const { name, scopes, jobs, machines, expires_at } = read.output;
  const where = machines === '*' ? '' : `; machines ${machines}`;
  const deed = `created the token “${name}” (${scopes.join(', ')}; ${jobs === '*' ? 'all jobs' : `jobs ${jobs}`}${where})`;
  return expires_at === null ? plain(deed) : { ...plain(`${deed},`), until: { words: 'valid until', at: expires_at } };
}

/** An old secret that ends this soon after the rotation was revoked immediately. */
const AT_ONCE_MS = 1_000;

function rotatedSentence({ at, detail }: AuditEntry, token: string): Sentence {
  const read = v.safeParse(RotatedDetail, detail);
  const deed = `rotated ${token}`;
  if (!read.success) return plain(deed);
  const { old_ends_at } = read.output;
  if (Date.parse(old_ends_at) - Date.parse(at) <= AT_ONCE_MS) {
    return plain(`${deed}, revoked the old secret and ended its sessions`);
  }
  return { ...plain(`${deed},`), until: { words: 'old secret valid until', at: old_ends_at } };
}

const ALERT_DEEDS = {
  alert_created: 'created',
  alert_changed: 'changed',
  alert_deleted: 'deleted',
  alert_tested: 'sent a test of',
} as const;

function alertSentence({ subject, detail }: AuditEntry, action: keyof typeof ALERT_DEEDS): Sentence {
  const read = v.safeParse(AlertDetail, detail);
  if (!read.success) return plain(`${ALERT_DEEDS[action]} the alert ${subject}`);
  const { name, error, muted_until } = read.output;
  const deed = `${ALERT_DEEDS[action]} the alert “${name}”`;
  if (typeof error === 'string') return { ...plain(`${deed}, which failed: ${error}`), tone: 'warn' };
  if (muted_until === null) return plain(`${deed} and ended its mute`);
  if (muted_until === undefined) return plain(deed);
  return { ...plain(`${deed},`), until: { words: 'muted until', at: muted_until } };
}

function refusedSentence({ subject, detail }: AuditEntry): Sentence {
  const read = v.safeParse(RefusedDetail, detail);
  const code = read.success ? read.output.code : 'many';
  const deed = `was denied: ${CALLS[subject] ?? subject} (${REASONS[code] ?? code})`;
  return { ...plain(deed), tone: isOfOpenPage(subject, code) ? 'plain' : 'warn' };
}

/** @returns what follows “The control plane” */
function conflictSentence({ subject: job, detail }: AuditEntry): Sentence {
  const read = v.safeParse(ConflictDetail, detail);
  if (!read.success) {
    const deed = 'detected more run id conflicts between jobs; the metrics count them all';
    return { ...plain(deed), tone: 'warn' };
  }
  const { run, machine, first_job } = read.output;
  const deed = `detected a run id conflict: ${job} on ${machine} reported a run with an id that ${first_job} had already used. Each job keeps its own run`;
  return { ...plain(deed), tone: 'warn', job, run };
}

/** A dashboard left open keeps polling after its session or token has ended: no reason for alarm. */
function isOfOpenPage(operation: string, code: string): boolean {
  return code === 'unauthenticated' && OF_OPEN_PAGE.includes(operation);
}

const OF_OPEN_PAGE: readonly string[] = ['getSession', 'watchFleet', 'watchJob'];

function plain(deed: string): Sentence {
  return { deed, tone: 'plain', until: null, job: null, kill: null, run: null };
}

/** What a call is for, by its `operationId`. */
const CALLS: Readonly<Record<string, string>> = {
  many: 'many different calls',
  signIn: 'sign in to the dashboard',
  signOut: 'sign out',
  getSession: 'resume a session',
  connectWrapper: 'connect a run',
  watchJob: 'watch a job',
  watchFleet: 'watch runs',
  killJob: 'kill runs of a job',
  killMany: 'kill many runs at once',
  listJobs: 'list jobs',
  getJob: 'read a job',
  listRuns: 'list runs',
  getRun: 'read a run',
  listRunEvents: 'read a run’s events',
  getRunOutput: 'read a run’s output',
  listKills: 'list kills',
  listBrakes: 'list brakes',
  createBrake: 'set a brake',
  endBrake: 'end a brake',
  getKill: 'read a kill',
  listTokens: 'list tokens',
  createToken: 'create a token',
  rotateToken: 'rotate a token',
  deleteToken: 'delete a token',
  listAlerts: 'list alerts',
  createAlert: 'create an alert',
  getAlert: 'read an alert',
  changeAlert: 'change an alert',
  deleteAlert: 'delete an alert',
  testAlert: 'test an alert',
  listAudit: 'read the audit log',
  getMetrics: 'read metrics',
};

const REASONS: Readonly<Record<string, string>> = {
  many: 'various reasons',
  unauthenticated: 'invalid or expired credentials',
  token_expired: 'the token has expired',
  token_rotated: 'the secret was rotated',
  forbidden: 'not allowed for this token',
  wrong_origin: 'called from another site',
  rate_limited: 'too many calls',
};
