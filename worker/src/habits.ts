/** What a job's runs have usually been like. Pure, and rather silent than wrong: it is offered to people. */
import type { Run } from '#protocol/api';
import type { Habits } from '#protocol/expectations';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The runs that habits are read from. */
export const HABIT_RUNS = 200;

const LEAST_INTERVALS = 6;
const LEAST_DURATIONS = 5;
/** This part of the intervals is about as long as their median. */
const REGULAR_PART = 0.9;
const TOLERANCE_PART = 0.1;
/** One pause may be an outage. Several are a schedule that an interval can't describe, such as that of office hours. */
const MAX_PAUSES = 1;
const PAUSE_INTERVALS = 2.5;
/** Machines whose clocks start the same job at the same time. */
const SAME_FIRING_MS = 90 * SECOND_MS;
/** A duration is between these for most runs. */
const [LOW, HIGH] = [0.1, 0.9];

type HabitRun = Pick<Run, 'machine' | 'started_at' | 'ended_at' | 'state'>;

/** Null if there is no pattern. */
export function habitsOf(runs: readonly HabitRun[]): Habits | null {
  const every = usualInterval(firings(runs));
  const duration = usualDuration(runs);
  return every === null && duration === null ? null : { every_ms: every, duration_ms: duration, runs: runs.length };
}

/** When the job started, in order: on several machines at about the same time is once. */
function firings(runs: readonly HabitRun[]): number[] {
  const sorted = runs
    .map(({ machine, started_at }) => ({ machine, at: Date.parse(started_at) }))
    .sort((one, other) => one.at - other.at);
  const found: { at: number; machines: Set<string> }[] = [];
  for (const { machine, at } of sorted) {
    const last = found.at(-1);
    if (last !== undefined && at - last.at < SAME_FIRING_MS && !last.machines.has(machine)) last.machines.add(machine);
    else found.push({ at, machines: new Set([machine]) });
  }
  return found.map(({ at }) => at);
}

function usualInterval(starts: readonly number[]): number | null {
  const intervals = starts.slice(1).map((start, index) => start - (starts[index] ?? start));
  if (intervals.length < LEAST_INTERVALS) return null;
  const median = quantile(intervals, 0.5);
  const tolerance = Math.max(median * TOLERANCE_PART, Math.min(30 * SECOND_MS, median / 4));
  const regular = intervals.filter((interval) => Math.abs(interval - median) <= tolerance);
  const pauses = intervals.filter((interval) => interval > median * PAUSE_INTERVALS);
  if (median < 10 * SECOND_MS || regular.length < intervals.length * REGULAR_PART || pauses.length > MAX_PAUSES)
    return null;
  return rounded(median);
}

function usualDuration(runs: readonly HabitRun[]): Habits['duration_ms'] {
  const durations = runs.flatMap(({ state, started_at, ended_at }) =>
    state === 'succeeded' && ended_at !== null ? [Math.max(0, Date.parse(ended_at) - Date.parse(started_at))] : [],
  );
  if (durations.length < LEAST_DURATIONS) return null;
  return { low: quantile(durations, LOW), high: quantile(durations, HIGH) };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.round((sorted.length - 1) * part)] ?? 0;
}

/** What was probably meant: the largest unit that it is about a multiple of. */
function rounded(ms: number): number {
  for (const unit of [24 * HOUR_MS, HOUR_MS, 5 * MINUTE_MS, MINUTE_MS, 10 * SECOND_MS]) {
    const near = Math.round(ms / unit) * unit;
    if (near > 0 && Math.abs(near - ms) <= ms * 0.02) return near;
  }
  return Math.round(ms / SECOND_MS) * SECOND_MS;
}
