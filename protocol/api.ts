/** The HTTPS API's bodies and resources. Times are RFC 3339, UTC. */
import * as v from 'valibot';
import { hasInvisible, showInvisible } from './invisible-characters.ts';
import { KillInclude, KillPhase, KillSignal, KillState, TargetState } from './kill.ts';
import { MAX_GRACE_MS, MAX_KILLED_RUNS, MAX_OLD_SECRET_SECONDS } from './limits.ts';
import { Glob, InstanceName, JobName, KillId, MachineName, MachineSelector, RunId } from './names.ts';
import { EndReason, EndState, RunState } from './run-state.ts';

// The pattern allows forms, such as the offset `+05`, that Date.parse does not read.
const Time = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'a time as in RFC 3339'),
);
/** A time that a caller gives. Of the 30th of February Date.parse makes one in March, and what was meant nobody knows. */
export const InputTime = v.pipe(
  Time,
  v.check((text) => {
    const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
    return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  }, 'a day that there is'),
);
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Processes with their command lines, redacted and cut. */
const RELATION = { parent: v.nullable(v.object({ pid: v.number(), command_line: v.string() })), kept: v.boolean() };
const ProcessList = v.array(
  v.object({ pid: v.number(), command_line: v.string(), relation: v.optional(v.object(RELATION)) }),
);
/** Processes that are related to a run and not killed with it. */
const RelatedList = v.array(v.object({ pid: v.number(), command_line: v.string(), ...RELATION }));

export const Run = v.object({
  id: RunId,
  job: JobName,
  instance: InstanceName,
  machine: MachineName,
  state: RunState,
  /** Whether nothing can change the state any more: false while it lives, and for `lost` until the run's true end is known. */
  final: v.boolean(),
  /** Whether the wrapper is connected, as far as the object knows. */
  connected: v.boolean(),
  /** Since when nothing was heard of a run that is not over for good; null while its wrapper is connected. */
  out_of_touch_since: v.nullable(Time),
  /** The reported exit code; null while it runs. */
  exit_code: v.nullable(v.number()),
  /** What the command itself exited with. */
  command_exit_code: v.nullable(v.number()),
  signal: v.nullable(v.string()),
  reason: v.nullable(EndReason),
  started_at: Time,
  ended_at: v.nullable(Time),
  pid: v.nullable(v.number()),
  command_line: v.string(),
  wrapper_version: v.string(),
  /** Which wrapper supervises it: 0 the one that started the command, n the n-th that took it over. */
  successor: v.optional(Count, 0),
  /** Whom the command runs as; null when its wrapper did not say. */
  user: v.optional(v.nullable(v.string()), null),
  /** Where it runs; null when its wrapper did not say. */
  host: v.optional(v.nullable(v.object({ is_root: v.boolean(), os: v.string(), node: v.string() })), null),
  timeout_ms: v.nullable(v.number()),
  grace_ms: v.number(),
  /** What is sent first when the run is to end and nobody says how. */
  kill_signal: v.optional(v.string(), 'SIGTERM'),
  /** What still runs of it after its end, as far as it was found. A kill that names the run ends it. */
  left_running: v.optional(ProcessList, []),
  /** Bytes of output stored so far; in lists as of the last change of state. */
  output_bytes: Count,
  /** Where its output ends, by what its wrapper reported at the end; null until then. The rest has yet to arrive. */
  output_total_bytes: v.optional(v.nullable(Count), null),
  /** Goes up with every change. Of two versions of a run the one with the higher `seq` is the newer. */
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

/** What bounds output: how much is kept of one run, how much of a job. */
export const OutputLimit = v.picklist(['run', 'job']);
export type OutputLimit = v.InferOutput<typeof OutputLimit>;

const event = <const Type extends string, const Entries extends v.ObjectEntries>(type: Type, entries: Entries) =>
  v.object({ id: Count, at: Time, type: v.literal(type), ...entries });

/** Everything that happens to a run, in order. */
export const RunEvent = v.variant('type', [
  event('started', { machine: MachineName, pid: v.nullable(v.number()) }),
  event('connected', {}),
  /** `control_plane_away`: nobody was here to see the link break; it may have been earlier. */
  event('disconnected', { cause: v.picklist(['closed', 'control_plane_away']) }),
  /** Nothing was heard for too long; the object has asked for a sign of life. */
  event('suspected', { silent_ms: Count }),
  /** It gave one. */
  event('answered', {}),
  event('lost', { silent_ms: Count }),
  /** A lost run came back alive. */
  event('returned', {}),
  /** Its wrapper was killed, and the n-th successor has taken it over. */
  event('adopted', { successor: Count }),
  event('kill_requested', {
    kill: KillId,
    requested_by: v.string(),
    reason: v.nullable(v.string()),
    /** How it is to be done at this run: where the kill does not say, by the run's own signal and grace. */
    signal: v.string(),
    grace_ms: Count,
    /** What is to be ended beside the run's own processes. */
    include: v.optional(v.nullable(KillInclude), null),
  }),
  /** Handed to the wrapper's live socket. */
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
    /** related processes, not killed. */
    related: v.optional(RelatedList, []),
  }),
  /** The machine had to drop these bytes. */
  event('output_gap', { from: Count, to: Count }),
  /** Output of this run begins to be removed here, because there is more than is kept: what follows `from`. Told once for each limit. */
  event('output_trimmed', { limit: OutputLimit, from: Count }),
  /** What still runs of it after its end; empty: nothing does any more. */
  event('left_running', { processes: ProcessList }),
  /** This job has reported a run with the same id. */
  event('run_conflict', { job: JobName }),
  event('ended', { state: RunState, exit_code: v.number(), reason: EndReason, duration_ms: Count }),
]);
export type RunEvent = v.InferOutput<typeof RunEvent>;
/** An event before it has been given its number. */
export type NewRunEvent = RunEvent extends infer Event ? (Event extends RunEvent ? Omit<Event, 'id'> : never) : never;

export const Target = v.object({
  run: RunId,
  machine: MachineName,
  state: TargetState,
  /** What is sent first at this run: its own where the kill names none. Null for a target from before this was told. */
  signal: v.optional(v.nullable(v.string()), null),
  exit_code: v.nullable(v.number()),
  /** Processes that could not be ended. */
  survivors: v.array(v.number()),
  /** Whether others are left whose pids are not known. */
  unnamed_survivors: v.optional(v.boolean(), false),
  /** related processes, not killed. Of a kill of many runs not all are named here, but in the runs' events. */
  related: v.optional(RelatedList, []),
  /** How many those are. */
  related_count: v.optional(Count, 0),
});
export type Target = v.InferOutput<typeof Target>;

export const Kill = v.object({
  id: KillId,
  job: JobName,
  kind: v.literal('kill'),
  state: KillState,
  /** What it matches; null matches all. */
  run: v.nullable(RunId),
  instance: v.nullable(InstanceName),
  machine: v.nullable(MachineSelector),
  /** Null: each run's own. */
  signal: v.nullable(KillSignal),
  /** Null: each run's own. */
  grace_ms: v.nullable(Count),
  /** What is ended beside each run's own processes. */
  include: v.optional(v.nullable(KillInclude), null),
  reason: v.nullable(v.string()),
  requested_by: v.string(),
  /** Names the call that ordered it in the logs of the control plane and of the wrappers; null for one from before there were such. */
  request_id: v.optional(v.nullable(v.string()), null),
  /** The same for all kills that one call has made; null for one that a call has made alone. */
  batch: v.optional(v.nullable(v.string()), null),
  requested_at: Time,
  expires_at: Time,
  targets: v.array(Target),
  /** Whether the job's object has looked for runs, and none that it is for runs now. */
  found_nothing: v.optional(v.boolean(), false),
  /** Goes up with every change. Of two versions of a kill the one with the higher `seq` is the newer. */
  seq: Count,
});
export type Kill = v.InferOutput<typeof Kill>;

/** How a kill is to be done, and why. What is left out is each run's own, as it was started with. */
const KillOptions = {
  signal: v.optional(KillSignal),
  grace_seconds: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_GRACE_MS / 1000))),
  include: v.optional(KillInclude),
  /** Where a kill is told it stands in a line with other words: what hides or turns them is made visible. */
  reason: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(500),
      v.transform((text) => showInvisible(text.replaceAll(/[\t\n\r]+/g, ' '))),
    ),
  ),
};

export const KillRequest = v.strictObject({
  run: v.optional(RunId),
  instance: v.optional(InstanceName),
  machine: v.optional(MachineSelector),
  ...KillOptions,
});
export type KillRequest = v.InferOutput<typeof KillRequest>;

/** One glob or several: what matches one of them is meant. */
const Globs = v.pipe(
  v.union([Glob, v.pipe(v.array(Glob), v.minLength(1), v.maxLength(20))], 'a glob, or up to 20 of them'),
  v.transform((globs) => (typeof globs === 'string' ? [globs] : globs)),
);

/** A run with its job: exactly that one, should another job have reported the same id. */
const RunOfJob = v.strictObject({ job: JobName, run: RunId });
export type RunOfJob = v.InferOutput<typeof RunOfJob>;

/** These runs and no others. */
const Runs = v.pipe(
  v.array(v.union([RunId, RunOfJob], 'a run id, or a job and a run id')),
  v.minLength(1),
  v.maxLength(MAX_KILLED_RUNS),
  v.check(areDistinct, 'each run once'),
);

/** A bare id stands for the run of any job. */
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

/** A kill of whatever matches, in any job; or of the runs that are named, whatever their jobs. */
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
    'say what to kill, by jobs, machines or instance, or by runs; all there is are the jobs "*"',
  ),
  v.check(
    ({ runs, ...selector }) => runs === undefined || !isSelector(selector),
    'give either runs or jobs, machines and instance: runs are exactly those',
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
  /** The newest of those that live. */
  running: v.array(Run),
  /** How many live: more than `running` holds when that is cut. */
  running_count: Count,
  /** The last that have ended, newest start first. */
  recent_ends: v.array(RunEnd),
  /** How it ended last on each machine, at most 300: first where that needs attention, then the others, each newest first. */
  last_ends: v.array(LastEnd),
  /** On how many machines it ended so last, by state: of all of them, also where `last_ends` is cut. */
  last_end_counts: v.object({
    succeeded: Count,
    failed: Count,
    killed: Count,
    timed_out: Count,
    lost: Count,
    errored: Count,
  }),
});
export type Job = v.InferOutput<typeof Job>;

export const SCOPES = ['run', 'read', 'kill', 'admin'] as const;
export const Scope = v.picklist(SCOPES);
export type Scope = v.InferOutput<typeof Scope>;

export const NewToken = v.pipe(
  v.strictObject({
    name: v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(100),
      v.check((name) => !hasInvisible(name), 'no characters that cannot be seen, or that turn the direction of text'),
    ),
    scopes: v.pipe(v.array(Scope), v.minLength(1), v.maxLength(SCOPES.length)),
    jobs: v.optional(Glob, '*'),
    machines: v.optional(Glob, '*'),
    expires_at: v.optional(
      v.nullable(
        v.pipe(
          InputTime,
          v.check((text) => Date.parse(text) > Date.now(), 'a time to come'),
        ),
      ),
      null,
    ),
  }),
  v.check(
    ({ scopes, machines }) => machines === '*' || scopes.every((scope) => scope === 'run'),
    'machines limits where runs may be started from: only for tokens whose one scope is run',
  ),
);
export type NewToken = v.InferOutput<typeof NewToken>;

export const Token = v.object({
  id: v.string(),
  name: v.string(),
  scopes: v.array(Scope),
  jobs: v.string(),
  machines: v.string(),
  created_at: Time,
  expires_at: v.nullable(Time),
  /** Give or take ten minutes; null for one that nobody has used yet. */
  last_used_at: v.nullable(Time),
});
export type Token = v.InferOutput<typeof Token>;

/** How long the secret that was replaced stays valid. 0: it leaked, and ends at once with all that was opened with it. */
export const RotateToken = v.strictObject({
  old_valid_seconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_OLD_SECRET_SECONDS)),
    60 * 60,
  ),
});
export type RotateToken = v.InferOutput<typeof RotateToken>;

export const AUDIT_ACTIONS = [
  'kill',
  'token_created',
  'token_rotated',
  'token_deleted',
  'signed_in',
  'signed_out',
  'refused',
  'run_conflict',
] as const;
export const AuditAction = v.picklist(AUDIT_ACTIONS);
export type AuditAction = v.InferOutput<typeof AuditAction>;

/** Who did what, from where, when; what was refused to whom; or which job has reported a run with the id of another job's. */
export const AuditEntry = v.object({
  id: v.string(),
  at: Time,
  /** Refusals of one caller, from one address, of one call, for one reason are counted as one entry an hour. */
  last_at: Time,
  count: Count,
  /** The token, with its name as it was then; null when it is not known whose call it was. */
  actor: v.nullable(v.object({ id: v.string(), name: v.string() })),
  action: AuditAction,
  /** A kill's job, a token's id; of a refusal the call, by its `operationId`; of a conflict the job that came second. */
  subject: v.string(),
  detail: v.record(v.string(), v.unknown()),
  address: v.nullable(v.string()),
  request_id: v.string(),
});
export type AuditEntry = v.InferOutput<typeof AuditEntry>;

/** Who is signed in, and what they may do. */
export const Session = v.object({
  name: v.string(),
  scopes: v.array(Scope),
  jobs: v.string(),
  expires_at: v.nullable(Time),
});
export type Session = v.InferOutput<typeof Session>;

export const SignIn = v.strictObject({ token: v.pipe(v.string(), v.minLength(1), v.maxLength(256)) });

export const JobBody = v.object({ job: Job });
export const RunBody = v.object({ run: Run });
export const KillBody = v.object({ kill: Kill });
export const KillsBody = v.object({ kills: v.array(Kill) });
export const SessionBody = v.object({ session: Session });
export const TokenBody = v.object({ token: Token, secret: v.string() });
const Cursor = v.nullable(v.string());
export const JobList = v.object({ jobs: v.array(Job), next_cursor: Cursor });
export const RunList = v.object({ runs: v.array(Run), next_cursor: Cursor });
export const KillList = v.object({ kills: v.array(Kill), next_cursor: Cursor });
export const EventList = v.object({ events: v.array(RunEvent), next_cursor: Cursor });
export const AuditList = v.object({ audit: v.array(AuditEntry), next_cursor: Cursor });
export const TokenList = v.object({ tokens: v.array(Token), next_cursor: Cursor });

/** On every answer: names the call in the control plane's logs, and what it set in motion in other logs. */
export const REQUEST_ID_HEADER = 'Leash-Request-Id';

/** On the answer to `GET /runs/{run}/output`: the offset of the first byte asked for. */
export const OFFSET_HEADER = 'Leash-Offset';
/** On the same: the offset that follows the last byte sent. */
export const NEXT_OFFSET_HEADER = 'Leash-Next-Offset';
/** On the same: how many of the bytes asked for are missing. */
export const MISSING_BYTES_HEADER = 'Leash-Missing-Bytes';
/** On the same: which, as `from-to` (`to` not included), separated by commas; the first hundred stretches. */
export const GAPS_HEADER = 'Leash-Gaps';
