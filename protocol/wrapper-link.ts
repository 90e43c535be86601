/**
 * `leash.v1`: the messages between a wrapper and its job's object.
 *
 * JSON text frames, distinguished by `type`; output travels in binary frames (`output-frame.ts`); the bare text frame `hb`
 * is the heartbeat. Unknown fields are ignored.
 *
 * Times that a wrapper reports are ages: milliseconds since its command started, by its monotonic clock. The object adds
 * them to the start as it knows it, so that a wrong clock on the machine does not falsify them.
 */
import * as v from 'valibot';
import { About } from './about.ts';
import { Answer, Question } from './admission.ts';
import { Expected } from './expectations.ts';
import { KillInclude, KillPhase, KillSignal } from './kill.ts';
import { MAX_COMMAND_LINE_BYTES, MAX_GRACE_MS } from './limits.ts';
import { Host, LeftProcesses, RelatedProcesses } from './machine-facts.ts';
import { KillId, RunId, RunKey } from './names.ts';
import { EndReason, OWN_END_REASONS } from './run-state.ts';
import { textFrameReader } from './text-frame.ts';
import { Usage } from './usage.ts';

/**
 * On the request to connect: for how many milliseconds the run has been disconnected. Absent: it was never connected by
 * this wrapper. A control plane that is busy lets those in first that would be declared lost.
 */
export const DISCONNECTED_HEADER = 'Leash-Disconnected-Ms';

export const WRAPPER_SUBPROTOCOL = 'leash.v1';

const Offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const AgeMs = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Ten years: an older start would not be a valid date. */
const MAX_AGE_MS = 10 * 365 * 24 * 60 * 60 * 1000;
const ExitCode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255));
const SignalName = v.pipe(v.string(), v.regex(/^SIG[A-Z0-9]{1,12}$/, 'a signal name such as SIGTERM'));
const Pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const Successor = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Text = v.pipe(v.string(), v.maxLength(1024));

/** How far the wrapper has come with one kill. `at_ms` is the run's age. */
const KillProgress = {
  phase: KillPhase,
  signal: v.nullable(SignalName),
  at_ms: AgeMs,
  /** The pids that could not be ended. */
  survivors: v.pipe(v.array(Pid), v.maxLength(64)),
  /** Whether there are others, whose pids are unknown or exceed the list. */
  unnamed_survivors: v.optional(v.boolean(), false),
};

/** A kill that this wrapper has applied, with its last step, which may have been sent on a dead socket. */
export const AppliedKill = v.object({ kill: KillId, ...KillProgress });
export type AppliedKill = v.InferOutput<typeof AppliedKill>;
const AppliedKills = v.pipe(v.array(AppliedKill), v.maxLength(100));

/** First frame on every connection; idempotent. */
export const Start = v.object({
  type: v.literal('start'),
  run: RunId,
  run_key: RunKey,
  /**
   * `waiting`: it asks before it starts the command, and sends another `start` after that. `ended`: a completion follows.
   * `abandoned`: the wrapper died and only its spool is left.
   */
  phase: v.picklist(['waiting', 'running', 'ended', 'abandoned']),
  /** In the phase `waiting`: what it asks. */
  question: v.optional(Question),
  /** Which wrapper sends this: 0, or absent, the one that started the command; n the n-th that took the run over. */
  successor: v.optional(Successor),
  pid: v.nullable(Pid),
  command_line: v.pipe(v.string(), v.maxBytes(MAX_COMMAND_LINE_BYTES)),
  age_ms: v.pipe(AgeMs, v.maxValue(MAX_AGE_MS)),
  version: v.pipe(v.string(), v.maxLength(64)),
  /** The machine and the user that it runs on and as. */
  host: v.optional(Host),
  limits: v.object({
    timeout_ms: v.nullable(AgeMs),
    grace_ms: v.pipe(AgeMs, v.maxValue(MAX_GRACE_MS)),
    /** The first signal of a kill that names none. */
    signal: v.optional(SignalName),
  }),
  /** The output that this wrapper still holds: [from, to). */
  output: v.object({ from: Offset, to: Offset }),
  applied_kills: AppliedKills,
  /** The related processes, as last seen. */
  related: v.optional(RelatedProcesses),
  /** Whether this wrapper answers `flush`. */
  answers_flush: v.optional(v.boolean()),
  /** What the job is. What is malformed must not void the start. */
  about: v.fallback(v.optional(About), undefined),
  /** When runs like this one are expected. */
  expected: v.fallback(v.optional(Expected), undefined),
});

const OutdatedStart = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ type: v.literal('start'), command: v.string(), command_line: v.optional(v.undefined()) }),
);

/** Whether a frame is the `start` of a wrapper from before `command` became `command_line`. */
export function isOutdatedStart(frame: string): boolean {
  return v.is(OutdatedStart, frame);
}

/** The bytes [from, to) had to be dropped on the machine. */
export const Gap = v.object({ type: v.literal('gap'), from: Offset, to: Offset });

const ElapsedMs = v.pipe(v.number(), v.finite(), v.minValue(0));

/** How long the wrapper has taken with a kill: milliseconds of its monotonic clock since it received the kill. */
export const KillTiming = v.object({
  /** Until the first signal that it sent because of this kill; null: none was needed, or none yet. */
  first_signal_ms: v.nullable(ElapsedMs),
  /** Until it saw that no process of the run was left; null: not yet, or some could not be ended. */
  last_process_gone_ms: v.nullable(ElapsedMs),
  /** Until it sent this message. */
  sent_ms: ElapsedMs,
});
export type KillTiming = v.InferOutput<typeof KillTiming>;

export const Killing = v.object({
  type: v.literal('killing'),
  /** The kill that this answers; null when the wrapper itself ends the run, by its limit or a local signal. */
  kill: v.nullable(KillId),
  reason: v.picklist(['operator', ...OWN_END_REASONS]),
  ...KillProgress,
  /** Related processes, which were not killed. */
  related: v.optional(RelatedProcesses),
  /** Absent when another process received the kill, as before a successor took the run over. What is malformed must not void the step. */
  timing: v.fallback(v.optional(KillTiming), undefined),
});

export const Complete = v.object({
  type: v.literal('complete'),
  /** The reported exit code of the run. */
  exit_code: ExitCode,
  /** The exit code of the command itself; null if a signal ended it or it never ran. */
  command_exit_code: v.nullable(ExitCode),
  signal: v.nullable(SignalName),
  reason: EndReason,
  duration_ms: AgeMs,
  final_offset: Offset,
  applied_kills: AppliedKills,
  /** The related processes, as last seen. */
  related: v.optional(RelatedProcesses),
  /** The processes of the run that are still running, as far as they were found. */
  left_running: v.optional(LeftProcesses),
  /** What the command had left running, and the wrapper has ended (`--leftovers kill`). What has survived is still running. */
  ended_leftovers: v.optional(LeftProcesses),
  /** What its processes took. */
  usage: v.fallback(v.optional(Usage), undefined),
});

/** While the flow is eager: what the run's processes take now. */
export const UsageMessage = v.object({ type: v.literal('usage'), usage: Usage });

/** After the completion: the processes that are still running have changed. Empty: all have exited. */
export const LeftRunning = v.object({ type: v.literal('left_running'), processes: LeftProcesses });

/** The answer to `probe`. */
export const Alive = v.object({ type: v.literal('alive') });

/** The answer to `flush`: the output before `to` has been sent, or follows at once. */
export const Flushed = v.object({ type: v.literal('flushed'), id: v.pipe(v.number(), v.safeInteger()), to: Offset });

export type Start = v.InferOutput<typeof Start>;
export type Gap = v.InferOutput<typeof Gap>;
export type Killing = v.InferOutput<typeof Killing>;
export type Complete = v.InferOutput<typeof Complete>;
export type LeftRunning = v.InferOutput<typeof LeftRunning>;
export type Flushed = v.InferOutput<typeof Flushed>;
export type UsageMessage = v.InferOutput<typeof UsageMessage>;
export type WrapperMessage =
  | Start
  | Gap
  | Killing
  | Complete
  | LeftRunning
  | UsageMessage
  | v.InferOutput<typeof Alive>
  | Flushed;
export const readWrapperMessage = textFrameReader({
  start: Start,
  gap: Gap,
  killing: Killing,
  complete: Complete,
  left_running: LeftRunning,
  usage: UsageMessage,
  alive: Alive,
  flushed: Flushed,
});

export const FlowMode = v.picklist(['eager', 'lazy']);
export type FlowMode = v.InferOutput<typeof FlowMode>;

/** When a wrapper sends output. */
export const Pacing = v.object({
  /** Output waits this long for more, */
  delay_ms: v.pipe(v.number(), v.minValue(0)),
  /** and at least this long after the last frame, */
  interval_ms: v.pipe(v.number(), v.minValue(0)),
  /** unless it is this much. */
  max_bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
});
export type Pacing = Readonly<v.InferOutput<typeof Pacing>>;
/** Absent: as `flow` says. What is malformed must not void the rest. */
const OptionalPacing = v.fallback(v.optional(Pacing), undefined);

/** The start is stored. With the settings of this link. */
export const StartAck = v.object({
  type: v.literal('ack'),
  of: v.literal('start'),
  /** Output is stored up to here: continue from here. */
  offset: Offset,
  flow: FlowMode,
  pacing: OptionalPacing,
  /** Send `hb` this often. */
  heartbeat_ms: v.pipe(v.number(), v.minValue(50)),
  /** Reconnect after this time without a frame. */
  silence_ms: v.pipe(v.number(), v.minValue(100)),
  /** The longest pause between two attempts to connect. */
  reconnect_cap_ms: v.pipe(v.number(), v.minValue(50)),
  /** This much of a run's output is kept: a wrapper need not spool more. */
  output_limit_bytes: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
});

/** Output is stored up to `offset`. */
const OutputAck = v.object({ type: v.literal('ack'), of: v.literal('output'), offset: Offset });
/** The completion is stored. Output up to its `final_offset` may be missing. */
const CompleteAck = v.object({ type: v.literal('ack'), of: v.literal('complete') });

/** Something is stored: `of` says what. */
export const Ack = v.variant('of', [StartAck, OutputAck, CompleteAck]);
export type Ack = v.InferOutput<typeof Ack>;

export const KillMessage = v.object({
  type: v.literal('kill'),
  kill: KillId,
  /** Null: the run's own, which its `start` named. */
  signal: v.optional(v.nullable(KillSignal), null),
  /** Null: the run's own. */
  grace_ms: v.optional(v.nullable(v.pipe(AgeMs, v.maxValue(MAX_GRACE_MS))), null),
  /** What is ended besides the run's own processes. A value that only a newer version knows must not void the kill. */
  include: v.fallback(v.optional(v.nullable(KillInclude), null), null),
  requested_by: Text,
  reason: v.nullable(Text),
  /** The id of the operator's request, for the wrapper's log. */
  request_id: v.optional(v.nullable(Text)),
});
export type KillMessage = v.InferOutput<typeof KillMessage>;

export const Probe = v.object({ type: v.literal('probe') });
export const Flow = v.object({ type: v.literal('flow'), mode: FlowMode, pacing: OptionalPacing });
/** Send the output that there is now, and say up to where that is. */
export const Flush = v.object({ type: v.literal('flush'), id: v.pipe(v.number(), v.safeInteger()) });

export const LINK_ERROR_CODES = [
  'bad_frame',
  'frame_too_large',
  'unknown_type',
  'start_expected',
  'gap',
  'bad_offset',
  'run_conflict',
  'run_mismatch',
  'wrapper_outdated',
  'internal',
] as const;

export const LinkError = v.object({
  type: v.literal('error'),
  /** One of LINK_ERROR_CODES; a newer control plane may know more. */
  code: v.pipe(v.string(), v.maxLength(64)),
  message: Text,
  /** `yes`: at once; `later`: after the usual backoff; `never`: not for this run. Null: the link is fine. */
  retry: v.nullable(v.picklist(['yes', 'later', 'never'])),
  /** With `gap`: the offset to rewind to. */
  expected: v.optional(Offset),
});
export type LinkError = v.InferOutput<typeof LinkError> & { code: (typeof LINK_ERROR_CODES)[number] };

export type ObjectMessage =
  | Ack
  | Answer
  | KillMessage
  | v.InferOutput<typeof Probe>
  | v.InferOutput<typeof Flow>
  | v.InferOutput<typeof Flush>
  | LinkError;
export const readObjectMessage = textFrameReader({
  ack: Ack,
  answer: Answer,
  kill: KillMessage,
  probe: Probe,
  flow: Flow,
  flush: Flush,
  error: LinkError,
});
