/** When a job's runs are expected, and how long they may take. */
import * as v from 'valibot';
import { JobName, MachineName, RunId } from './names.ts';
import { Time } from './time.ts';

const MINUTE_MS = 60_000;
const YEAR_MS = 366 * 24 * 60 * MINUTE_MS;

const DurationMs = v.pipe(v.number(), v.safeInteger(), v.minValue(1_000), v.maxValue(YEAR_MS));

/** Five fields, or a name such as `@daily`. What it means is for the control plane to say. */
const CronExpression = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
/** An IANA name such as `Europe/Berlin`. */
const TimeZone = v.pipe(v.string(), v.minLength(1), v.maxLength(64));

/** What is expected. Without `every_ms` and `schedule` runs may start at any time, and only `slow_after_ms` counts. */
export const Expected = v.object({
  /** From the start of a run to that of the next. */
  every_ms: v.optional(v.nullable(v.pipe(DurationMs, v.minValue(10_000))), null),
  schedule: v.optional(v.nullable(CronExpression), null),
  time_zone: v.optional(v.nullable(TimeZone), null),
  /** How much later a run may start. Null: a default that depends on the interval. */
  late_after_ms: v.optional(v.nullable(DurationMs), null),
  /** How long a run may take. */
  slow_after_ms: v.optional(v.nullable(DurationMs), null),
});
export type Expected = v.InferOutput<typeof Expected>;

/**
 * - `unknown`: no run was due yet
 * - `ok`: the last run that was due has started
 * - `late`: a run is due and has not started
 * - `missed`: it had not started when the next one was due
 */
export const EXPECTATION_STATES = ['unknown', 'ok', 'late', 'missed'] as const;
export const ExpectationState = v.picklist(EXPECTATION_STATES);
export type ExpectationState = v.InferOutput<typeof ExpectationState>;

/** What is expected of a job, on one machine or as a whole, and whether it holds. Times are RFC 3339 in UTC. */
export const Expectation = v.object({
  job: JobName,
  /** Null: a run on any machine fulfils it. */
  machine: v.nullable(MachineName),
  ...Expected.entries,
  /** Who set it: the command line of `leash run`, or an operator. */
  source: v.picklist(['run', 'operator']),
  state: ExpectationState,
  /** Since when it is in this state. */
  since: Time,
  /** When the next run is due, or the one that is late; null: none is expected. */
  due_at: v.nullable(Time),
  /** When the last run that counts started; null: none has. */
  last_started_at: v.nullable(Time),
  /** That run; null: none has started, or it is unknown. */
  last_run: v.optional(v.nullable(RunId), null),
  /** Whether that run was told not to start, because another was in its way: it was due and did come. */
  last_run_skipped: v.optional(v.boolean(), false),
  /** Why it can't be judged, such as a schedule that is none; null: it can. */
  problem: v.optional(v.nullable(v.string()), null),
  seq: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type Expectation = v.InferOutput<typeof Expectation>;

/** A run that was late or missed, and has come since, or is not expected any more. Times are RFC 3339 in UTC. */
export const OverdueRun = v.object({
  job: JobName,
  /** Null: a run on any machine would have fulfilled it. */
  machine: v.nullable(MachineName),
  due_at: Time,
  /** The worst that was judged. */
  state: v.picklist(['late', 'missed']),
  /** Since when it was that. */
  since: Time,
  /** When it was first judged to be late or missed. */
  judged_at: Time,
  /** When it was not late or missed any more. */
  ended_at: Time,
  /** The run that came; null: none did, but what is expected was changed or removed. */
  run: v.nullable(RunId),
  /** When that run started; before `since`: it was only reported late. */
  started_at: v.nullable(Time),
});
export type OverdueRun = v.InferOutput<typeof OverdueRun>;

/** What a job's runs have been like, where they show a pattern. */
export const Habits = v.object({
  /** From start to start; null: no pattern. */
  every_ms: v.nullable(v.number()),
  /** Most runs took between these. */
  duration_ms: v.nullable(v.object({ low: v.number(), high: v.number() })),
  /** How many runs that is read from. */
  runs: v.number(),
});
export type Habits = v.InferOutput<typeof Habits>;

export const NewExpectation = v.strictObject({
  machine: v.optional(v.nullable(MachineName), null),
  ...Expected.entries,
});
export type NewExpectation = v.InferOutput<typeof NewExpectation>;

export const ExpectationBody = v.object({ expectation: Expectation });
export const BrokenExpectations = v.object({ expectations: v.array(Expectation) });
export const ExpectationList = v.object({ expectations: v.array(Expectation), usual: v.nullable(Habits) });
