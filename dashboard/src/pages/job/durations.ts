/** How long runs took: in words, and as a scale to draw them on. Pure. */

import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { formatDuration } from '#shared/format-duration';
import { countText } from '../../format/quantity.ts';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { choiceOf, STATE_CHOICES } from './filter.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long a run took, or has taken until now. */
export function durationMs(run: Run, nowMs: number): number {
  const end = run.ended_at === null ? nowMs : Date.parse(run.ended_at);
  return Math.max(0, end - Date.parse(run.started_at));
}

/** The ends of the axis and the marks on it. */
export interface DurationAxis {
  readonly kind: 'linear' | 'log';
  readonly minMs: number;
  readonly maxMs: number;
  readonly ticksMs: readonly number[];
}

const NICE_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].map((days) => days * DAY),
];
/** The marks of a scale of powers, each several times the one before. */
const COARSE_MS = [1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 50 * DAY];

const MOST_STEPS = 5;
const FEWEST_MARKS = 3;
/** A run that took this many times the median would flatten all others. */
const OUTLIER = 10;
/** Durations shorter than this share of the median are drawn alike. */
const SHORTEST_PART = 1_000;
const SHORTEST_MS = 1;

export function durationAxis(durations: readonly number[]): DurationAxis {
  const longest = Math.max(SHORTEST_MS, ...extremes(durations));
  const usual = Math.max(SHORTEST_MS, median(durations));
  return longest > OUTLIER * usual ? logAxis(durations, usual, longest) : linearAxis(longest);
}

function linearAxis(longest: number): DurationAxis {
  const step = NICE_MS.find((nice) => longest / nice <= MOST_STEPS) ?? longest;
  const steps = Math.max(1, Math.ceil(longest / step));
  const ticksMs = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return { kind: 'linear', minMs: 0, maxMs: steps * step, ticksMs };
}

function logAxis(durations: readonly number[], usual: number, longest: number): DurationAxis {
  const [shortest = SHORTEST_MS] = extremes(durations);
  const floor = Math.max(SHORTEST_MS, shortest, usual / SHORTEST_PART);
  const minMs = NICE_MS.findLast((nice) => nice <= floor) ?? SHORTEST_MS;
  const maxMs = NICE_MS.find((nice) => nice >= longest) ?? longest;
  const within = (marks: readonly number[]) => marks.filter((tick) => tick >= minMs && tick <= maxMs);
  const coarse = within(COARSE_MS);
  return { kind: 'log', minMs, maxMs, ticksMs: coarse.length < FEWEST_MARKS ? within(NICE_MS) : coarse };
}

/** Shortest and longest. Not by `Math.min(...)`, which takes no more arguments than the stack has room for. */
function extremes(durations: readonly number[]): number[] {
  let [shortest, longest] = [Number.POSITIVE_INFINITY, 0];
  for (const duration of durations) {
    shortest = Math.min(shortest, duration);
    longest = Math.max(longest, duration);
  }
  return durations.length === 0 ? [] : [shortest, longest];
}

function median(durations: readonly number[]): number {
  return durations.toSorted((a, b) => a - b)[Math.floor((durations.length - 1) / 2)] ?? 0;
}

/**
 * The chart in words: `200 runs: 3 running, 180 succeeded, 17 failed. Median 2m 05s, max 1h 02m.`
 */
export function summaryText(runs: readonly Run[]): string {
  if (runs.length === 0) return '';
  const counts = Map.groupBy(runs, ({ state }) => (state === 'waiting' ? state : choiceOf(state)));
  const told = (['waiting', ...STATE_CHOICES] as const).flatMap((choice) => {
    const count = counts.get(choice)?.length ?? 0;
    return count === 0 ? [] : [`${count} ${STATE_LABELS[choice]}`];
  });
  const ended = runs.filter(({ state }) => !isLive(state) && state !== 'skipped').map((run) => durationMs(run, 0));
  const [, longest = 0] = extremes(ended);
  const took =
    ended.length === 0
      ? ''
      : ended.length === 1
        ? ` Duration ${formatDuration(longest)}.`
        : ` Median ${formatDuration(median(ended))}, max ${formatDuration(longest)}.`;
  return `${countText(runs.length, 'run')}: ${told.join(', ')}.${took}`;
}
