/** Whether what is expected of a job holds. Pure. */
import type { ExpectationState, Expected } from '#protocol/expectations';
import { CronSchedule, ScheduleError } from '../../../shared/schedule/cron-schedule.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** A run may start this much before it is due and count for it: the clocks of machines differ. */
const EARLY_MS = 30 * SECOND_MS;
/** But no more than this part of the interval. */
const EARLY_PART = 1 / 4;

/** By default a run may be late by this part of the interval, within these limits. */
const LATE_PART = 1 / 10;
const MIN_LATE_MS = MINUTE_MS;
const MAX_LATE_MS = HOUR_MS;

/** When runs are due. */
export interface DueTimes {
  /** The first due time after an instant, if a run started then; null: none. */
  nextAfter(instant: number): number | null;
}

/** - `none`: runs may start at any time. - `impossible`: it can't be judged, and why */
export type Plan =
  | { readonly kind: 'none' }
  | { readonly kind: 'interval'; readonly everyMs: number }
  | { readonly kind: 'schedule'; readonly schedule: DueTimes }
  | { readonly kind: 'impossible'; readonly problem: string };

export function planOf({ every_ms: everyMs, schedule, time_zone: zone }: Expected, now: number): Plan {
  if (everyMs !== null && schedule !== null) {
    return { kind: 'impossible', problem: 'An interval and a schedule are mutually exclusive.' };
  }
  if (zone !== null && schedule === null) return { kind: 'impossible', problem: 'A time zone needs a schedule.' };
  if (everyMs !== null) return { kind: 'interval', everyMs };
  if (schedule === null) return { kind: 'none' };
  try {
    const read = new CronSchedule(schedule, zone ?? 'UTC');
    if (read.nextAfter(now) !== null) return { kind: 'schedule', schedule: read };
    return { kind: 'impossible', problem: `The schedule "${schedule}" never fires.` };
  } catch (error) {
    if (error instanceof ScheduleError) return { kind: 'impossible', problem: error.message };
    throw error;
  }
}

/** What is known of the runs that count. */
export interface Facts {
  /** When the expectation was set: nothing before that was due. */
  readonly setAt: number;
  /** When the last run started; null: none has. */
  readonly lastStartedAt: number | null;
  /** How long that run took at least: until its end, or until now if it is live. */
  readonly lastRanUntil: number | null;
}

export interface Judgement {
  readonly state: ExpectationState;
  /** Since when, if it is late or missed. */
  readonly since: number | null;
  /** When the next run is due, or the one that is late; null: none is. */
  readonly dueAt: number | null;
  /** When this may change although no run starts; null: it will not. */
  readonly checkAt: number | null;
}

export function judge(plan: Plan, lateAfterMs: number | null, facts: Facts, now: number): Judgement {
  const started = facts.lastStartedAt !== null;
  const nothingDue: Judgement = { state: started ? 'ok' : 'unknown', since: null, dueAt: null, checkAt: null };
  if (plan.kind === 'none' || plan.kind === 'impossible') return nothingDue;
  const dueAt = dueAfter(plan, facts);
  if (dueAt === null) return nothingDue;
  const lateAt = dueAt + (lateAfterMs ?? defaultLateMs(plan, dueAt));
  if (now < lateAt) return { ...nothingDue, dueAt, checkAt: lateAt };
  const missedAt = firstDueAfter(plan, dueAt, lateAt);
  if (missedAt === null || now < missedAt) return { state: 'late', since: lateAt, dueAt, checkAt: missedAt };
  return { state: 'missed', since: missedAt, dueAt, checkAt: null };
}

type Due = Extract<Plan, { kind: 'interval' | 'schedule' }>;

/**
 * When a run is due next.
 *
 * One that is still running when the next is due stands in for that one: many schedulers start no second run beside it, and
 * the job does run. It stands in once, so that a run that hangs is noticed.
 */
function dueAfter(plan: Due, { setAt, lastStartedAt, lastRanUntil }: Facts): number | null {
  if (lastStartedAt === null) return nextDue(plan, setAt);
  const due = dueAfterStart(plan, lastStartedAt, setAt);
  return due !== null && lastRanUntil !== null && lastRanUntil >= due ? nextDue(plan, due) : due;
}

function dueAfterStart(plan: Due, startedAt: number, setAt: number): number | null {
  if (plan.kind === 'interval') return Math.max(startedAt + plan.everyMs, setAt);
  // One that started a moment before it was due has started for that.
  const due = nextDue(plan, startedAt);
  if (due === null) return null;
  const following = nextDue(plan, due);
  const earlyMs = following === null ? EARLY_MS : Math.min(EARLY_MS, (following - due) * EARLY_PART);
  const next = startedAt >= due - earlyMs ? following : due;
  return next !== null && next <= setAt && setAt > startedAt ? nextDue(plan, setAt) : next;
}

function nextDue(plan: Due, instant: number): number | null {
  return plan.kind === 'interval' ? instant + plan.everyMs : plan.schedule.nextAfter(instant);
}

/** The first due time after both. */
function firstDueAfter(plan: Due, due: number, time: number): number | null {
  if (plan.kind === 'schedule') return plan.schedule.nextAfter(Math.max(due, time));
  return due + plan.everyMs * (Math.floor((time - due) / plan.everyMs) + 1);
}

function defaultLateMs(plan: Due, dueAt: number): number {
  const next = nextDue(plan, dueAt);
  if (next === null) return MAX_LATE_MS;
  return Math.min(Math.max((next - dueAt) * LATE_PART, MIN_LATE_MS), MAX_LATE_MS);
}
