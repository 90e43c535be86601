/** The HTTPS API's bodies and resources. Times are RFC 3339 in UTC. `field-descriptions.ts` says what the fields mean. */
import * as v from 'valibot';
import { BlockingRun, Overlap, OverlapScope } from './admission.ts';
import { KillInclude, KillPhase, KillSignal, KillState, TargetState } from './kill.ts';
import { MAX_GRACE_MS, MAX_KILLED_RUNS, MAX_OLD_SECRET_SECONDS } from './limits.ts';
import { Globs, InstanceName, JobName, KillId, MachineName, MachineSelector, RunId } from './names.ts';
import { Reason } from './reason.ts';
import { ReportedAbout } from './reported-about.ts';
import { EndReason, EndState, RunState, SkipReason } from './run-state.ts';
import { Time } from './time.ts';
import { Usage } from './usage.ts';
import { WrapperKind } from './wrapper-kind.ts';

export const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Why a process is related: see `RelatedList`. `kept`: `LEASH_KEEP=1` excludes it. */
const RELATION = { parent: v.nullable(v.object({ pid: v.number(), command_line: v.string() })), kept: v.boolean() };
const ProcessList = v.array(
  v.object({ pid: v.number(), command_line: v.string(), relation: v.optional(v.object(RELATION)) }),
);
/** Related processes that were not ended. */
const RelatedList = v.array(v.object({ pid: v.number(), command_line: v.string(), ...RELATION }));

export const Run = v.object({
  id: RunId,
  job: JobName,
  instance: InstanceName,
  machine: MachineName,
  state: RunState,
  final: v.boolean(),
  connected: v.boolean(),
  disconnected_since: v.nullable(Time),
  exit_code: v.nullable(v.number()),
  command_exit_code: v.nullable(v.number()),
  signal: v.nullable(v.string()),
  reason: v.nullable(EndReason),
  started_at: Time,
  ended_at: v.nullable(Time),
  pid: v.nullable(v.number()),
  command_line: v.string(),
  wrapper: v.optional(WrapperKind),
  wrapper_version: v.string(),
  successor: v.optional(Count, 0),
  user: v.optional(v.nullable(v.string()), null),
  host: v.optional(v.nullable(v.object({ is_root: v.boolean(), os: v.string(), node: v.string() })), null),
  timeout_ms: v.nullable(v.number()),
  grace_ms: v.number(),
  kill_signal: v.optional(v.string(), 'SIGTERM'),
  left_running: v.optional(ProcessList, []),
  output_bytes: Count,
  output_total_bytes: v.optional(v.nullable(Count), null),
  about: v.optional(v.nullable(ReportedAbout), null),
  usage: v.optional(v.nullable(Usage), null),
  slow_since: v.optional(v.nullable(Time), null),
  asked_at: v.optional(v.nullable(Time), null),
  fence: v.optional(v.nullable(Count), null),
  blocked_by: v.optional(v.array(BlockingRun), []),
  seq: Count,
});
export type Run = v.InferOutput<typeof Run>;

/** A run that has ended, in short. */
export const RunEnd = v.object({
  run: RunId,
  machine: MachineName,
  state: RunState,
  final: v.boolean(),
  exit_code: v.nullable(v.number()),
  started_at: Time,
  ended_at: v.nullable(Time),
});
export type RunEnd = v.InferOutput<typeof RunEnd>;

/** How a job ended last on one machine. */
export const LastEnd = v.object({
  machine: MachineName,
  run: RunId,
  state: EndState,
  exit_code: v.nullable(v.number()),
  ended_at: Time,
});
export type LastEnd = v.InferOutput<typeof LastEnd>;

/** Which limit trims output: that of one run, or that of a job. */
export const OutputLimit = v.picklist(['run', 'job']);
export type OutputLimit = v.InferOutput<typeof OutputLimit>;

const event = <const Type extends string, const Entries extends v.ObjectEntries>(type: Type, entries: Entries) =>
  v.object({ id: Count, at: Time, type: v.literal(type), ...entries });

/** What happens to a run. */
export const RunEvent = v.variant('type', [
  event('started', { machine: MachineName, pid: v.nullable(v.number()) }),
  event('connected', {}),
  /** `control_plane_away`: the object was not running when the link broke, which may have been earlier. */
  event('disconnected', { cause: v.picklist(['closed', 'control_plane_away']) }),
  /** The run was silent for too long, and the object has sent a probe. */
  event('suspected', { silent_ms: Count }),
  /** The run has answered the probe. */
  event('answered', {}),
  event('lost', { silent_ms: Count }),
  /** A lost run has reconnected. */
  event('returned', {}),
  /** The wrapper was killed, and the n-th successor has taken the run over. */
  event('adopted', { successor: Count }),
  event('kill_requested', {
    kill: KillId,
    requested_by: v.string(),
    reason: v.nullable(v.string()),
    /** The kill's, or the run's own. */
    signal: v.string(),
    grace_ms: Count,
    include: v.optional(v.nullable(KillInclude), null),
  }),
  /** Sent to the wrapper's socket. */
  event('kill_sent', { kill: KillId }),
  /** The wrapper has acknowledged it. */
  event('kill_delivered', { kill: KillId }),
  event('kill_progress', {
    kill: v.nullable(KillId),
    reason: EndReason,
    phase: KillPhase,
    signal: v.nullable(v.string()),
    survivors: v.array(v.number()),
    unnamed_survivors: v.optional(v.boolean(), false),
    related: v.optional(RelatedList, []),
  }),
  /** The machine had to drop these bytes. */
  event('output_gap', { from: Count, to: Count }),
  /** Output from `from` on is being trimmed, because it exceeds a limit. Once for each limit. */
  event('output_trimmed', { limit: OutputLimit, from: Count }),
  /** What still runs of it after its end; empty when nothing does. */
  event('left_running', { processes: ProcessList }),
  /** The command had left these running, and the wrapper has ended them (`--leftovers kill`). */
  event('leftovers_ended', { processes: ProcessList }),
  /** This other job has reported a run with the same id. */
  event('run_conflict', { job: JobName }),
  /** It asks whether it may start. */
  event('asked', { overlap: Overlap, scope: OverlapScope }),
  /** It has to wait: for these runs. */
  event('blocked', { blocked_by: v.array(BlockingRun) }),
  /** It was told to start. */
  event('admitted', { fence: Count }),
  /** It was told not to start. */
  event('skipped', { reason: SkipReason, detail: v.nullable(v.string()), blocked_by: v.array(BlockingRun) }),
  /** These runs of the job are alive as well, although it asked for none to be. */
  event('overlapped', { runs: v.array(BlockingRun) }),
  /** It has taken longer than expected. */
  event('slow', { after_ms: Count }),
  event('ended', { state: RunState, exit_code: v.number(), reason: EndReason, duration_ms: Count }),
]);
export type RunEvent = v.InferOutput<typeof RunEvent>;
/** An event without its number. */
export type NewRunEvent = RunEvent extends infer Event ? (Event extends RunEvent ? Omit<Event, 'id'> : never) : never;

const Milliseconds = v.pipe(v.number(), v.minValue(0));

/** When a kill passed each hop on its way to one run, in milliseconds since it was requested. */
export const TargetTiming = v.object({
  sent_ms: v.nullable(Milliseconds),
  received_ms: v.nullable(Milliseconds),
  first_signal_ms: v.nullable(Milliseconds),
  last_process_gone_ms: v.nullable(Milliseconds),
});
export type TargetTiming = v.InferOutput<typeof TargetTiming>;

export const Target = v.object({
  run: RunId,
  machine: MachineName,
  wrapper: v.optional(WrapperKind),
  state: TargetState,
  signal: v.optional(v.nullable(v.string()), null),
  exit_code: v.nullable(v.number()),
  survivors: v.array(v.number()),
  unnamed_survivors: v.optional(v.boolean(), false),
  related: v.optional(RelatedList, []),
  related_count: v.optional(Count, 0),
  timing: v.optional(v.nullable(TargetTiming), null),
});
export type Target = v.InferOutput<typeof Target>;

export const Kill = v.object({
  id: KillId,
  job: JobName,
  kind: v.literal('kill'),
  state: KillState,
  run: v.nullable(RunId),
  instance: v.nullable(InstanceName),
  machine: v.nullable(MachineSelector),
  signal: v.nullable(KillSignal),
  grace_ms: v.nullable(Count),
  include: v.optional(v.nullable(KillInclude), null),
  reason: v.nullable(v.string()),
  requested_by: v.string(),
  request_id: v.optional(v.nullable(v.string()), null),
  batch: v.optional(v.nullable(v.string()), null),
  requested_at: Time,
  expires_at: Time,
  stored_ms: v.optional(v.nullable(Milliseconds), null),
  targets: v.array(Target),
  found_nothing: v.optional(v.boolean(), false),
  seq: Count,
});
export type Kill = v.InferOutput<typeof Kill>;

/** How to kill, and why. Defaults: each run's own signal and grace. */
const KillOptions = {
  signal: v.optional(KillSignal),
  grace_seconds: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_GRACE_MS / 1000))),
  include: v.optional(KillInclude),
  reason: v.optional(Reason),
};

export const KillRequest = v.strictObject({
  run: v.optional(RunId),
  instance: v.optional(InstanceName),
  machine: v.optional(MachineSelector),
  ...KillOptions,
});
export type KillRequest = v.InferOutput<typeof KillRequest>;

/** A run named by job and id, because another job may have reported the same id. */
const RunOfJob = v.strictObject({ job: JobName, run: RunId });
export type RunOfJob = v.InferOutput<typeof RunOfJob>;

const Runs = v.pipe(
  v.array(v.union([RunId, RunOfJob], 'must be a run id, or an object with `job` and `run`')),
  v.minLength(1),
  v.maxLength(MAX_KILLED_RUNS),
  v.check(areDistinct, 'must not contain duplicates'),
);

/** A bare id may be the run of any job. */
function areDistinct(runs: (string | RunOfJob)[]): boolean {
  const bare = runs.filter((entry) => typeof entry === 'string');
  const named = runs.filter((entry) => typeof entry !== 'string');
  const ids = new Set(bare);
  return (
    ids.size === bare.length &&
    new Set(named.map(({ job, run }) => `${job}/${run}`)).size === named.length &&
    named.every(({ run }) => !ids.has(run))
  );
}

/** A kill of all runs that match, in any job; or of the runs that are named. */
export const KillManyRequest = v.pipe(
  v.strictObject({
    jobs: v.optional(Globs),
    machines: v.optional(Globs),
    instance: v.optional(InstanceName),
    runs: v.optional(Runs),
    ...KillOptions,
  }),
  v.check(
    ({ runs, ...selector }) => runs !== undefined || isSelector(selector),
    'one of `jobs`, `machines`, `instance` and `runs` is required; `"jobs": "*"` matches everything',
  ),
  v.check(
    ({ runs, ...selector }) => runs === undefined || !isSelector(selector),
    '`runs` and `jobs`, `machines` and `instance` are mutually exclusive',
  ),
);

function isSelector({ jobs, machines, instance }: { jobs?: unknown; machines?: unknown; instance?: unknown }): boolean {
  return jobs !== undefined || machines !== undefined || instance !== undefined;
}
export type KillManyRequest = v.InferOutput<typeof KillManyRequest>;

export const Job = v.object({
  name: JobName,
  first_seen_at: Time,
  last_run: v.nullable(Run),
  running: v.array(Run),
  running_count: Count,
  recent_ends: v.array(RunEnd),
  last_ends: v.array(LastEnd),
  last_end_counts: v.object({
    succeeded: Count,
    failed: Count,
    killed: Count,
    timed_out: Count,
    lost: Count,
    errored: Count,
    skipped: v.optional(Count, 0),
  }),
  about: v.optional(v.nullable(ReportedAbout), null),
});
export type Job = v.InferOutput<typeof Job>;

export const SCOPES = ['run', 'saltpeter', 'read', 'kill', 'admin'] as const;
export const Scope = v.picklist(SCOPES);
export type Scope = v.InferOutput<typeof Scope>;

/** The scopes of wrappers: a token that has no others can be limited to machines. */
const WRAPPER_SCOPES: readonly Scope[] = ['run', 'saltpeter'];

export function isForWrappersOnly(scopes: readonly Scope[]): boolean {
  return scopes.length > 0 && scopes.every((scope) => WRAPPER_SCOPES.includes(scope));
}

export const Token = v.object({
  id: v.string(),
  name: v.string(),
  scopes: v.array(Scope),
  jobs: v.string(),
  machines: v.string(),
  created_at: Time,
  expires_at: v.nullable(Time),
  last_used_at: v.nullable(Time),
});
export type Token = v.InferOutput<typeof Token>;

/** How long the old secret stays valid. 0: it ends at once, with all that was opened with it, for example after a leak. */
export const RotateToken = v.strictObject({
  old_valid_seconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_OLD_SECRET_SECONDS)),
    60 * 60,
  ),
});
export type RotateToken = v.InferOutput<typeof RotateToken>;

export const AUDIT_ACTIONS = [
  'kill',
  'brake_created',
  'brake_ended',
  'token_created',
  'token_rotated',
  'token_deleted',
  'alert_created',
  'alert_changed',
  'alert_deleted',
  'alert_tested',
  'signed_in',
  'signed_out',
  'expectation_set',
  'expectation_removed',
  'refused',
  'run_conflict',
] as const;
export const AuditAction = v.picklist(AUDIT_ACTIONS);
export type AuditAction = v.InferOutput<typeof AuditAction>;

export const AuditEntry = v.object({
  id: v.string(),
  at: Time,
  last_at: Time,
  count: Count,
  actor: v.nullable(v.object({ id: v.string(), name: v.string() })),
  action: AuditAction,
  subject: v.string(),
  detail: v.record(v.string(), v.unknown()),
  address: v.nullable(v.string()),
  request_id: v.string(),
});
export type AuditEntry = v.InferOutput<typeof AuditEntry>;

export const Session = v.object({
  name: v.string(),
  scopes: v.array(Scope),
  jobs: v.string(),
  machines: v.optional(v.string()),
  expires_at: v.nullable(Time),
});
export type Session = v.InferOutput<typeof Session>;

/** How full D1 is, in bytes. */
export const IndexSize = v.object({
  bytes: Count,
  max_bytes: Count,
  warning_bytes: Count,
  removal_bytes: Count,
});
export type IndexSize = v.InferOutput<typeof IndexSize>;

export const SignIn = v.strictObject({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(256)) });

export const JobBody = v.object({ job: Job });
export const RunBody = v.object({ run: Run });
export const KillBody = v.object({ kill: Kill });
export const KillsBody = v.object({ kills: v.array(Kill) });
export const SessionBody = v.object({ session: Session });
export const IndexBody = v.object({ index: IndexSize });
export const TokenBody = v.object({ token: Token, secret: v.string() });
const Cursor = v.nullable(v.string());
export const JobList = v.object({ jobs: v.array(Job), next_cursor: Cursor });
export const RunList = v.object({ runs: v.array(Run), next_cursor: Cursor });
export const KillList = v.object({ kills: v.array(Kill), next_cursor: Cursor });
export const EventList = v.object({ events: v.array(RunEvent), next_cursor: Cursor });
export const AuditList = v.object({ audit: v.array(AuditEntry), next_cursor: Cursor });
export const TokenList = v.object({ tokens: v.array(Token), next_cursor: Cursor });

/** On every response: identifies the call in the logs of the control plane and of the wrappers. */
export const REQUEST_ID_HEADER = 'Leash-Request-Id';

/** On `GET /runs/{run}/output`: the offset of the first byte requested. */
export const OFFSET_HEADER = 'Leash-Offset';
/** On the same: the offset after the last byte sent. */
export const NEXT_OFFSET_HEADER = 'Leash-Next-Offset';
/** On the same: how many of the requested bytes are missing. */
export const MISSING_BYTES_HEADER = 'Leash-Missing-Bytes';
/** On the same: which bytes are missing, as comma-separated `from-to` (`to` excluded); at most 100 ranges. */
export const GAPS_HEADER = 'Leash-Gaps';
