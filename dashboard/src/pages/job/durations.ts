/** How long runs took, and what else of them is drawn: in words, and as a scale to draw it on. Pure. */

import type { Run } from '#protocol/api';
import { isLive } from '#protocol/run-state';
import { countText } from '../../format/quantity.ts';
import { STATE_LABELS } from '../../format/run-state-labels.ts';
import { choiceOf, STATE_CHOICES } from './filter.ts';
import type { Metric } from './metrics.ts';

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
export interface ChartAxis {
  readonly kind: 'linear' | 'log';
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
}

/** Round amounts, and a few of them for a scale of powers, each several times the one before. */
export interface Marks {
  readonly nice: readonly number[];
  readonly coarse: readonly number[];
}

const NICE_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000].map((days) => days * DAY),
];
const COARSE_MS = [1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 50 * DAY];
export const DURATION_MARKS: Marks = { nice: NICE_MS, coarse: COARSE_MS };

const BYTE_UNITS = [1, 2, 3, 4].map((power) => 1024 ** power);
export const BYTE_MARKS: Marks = {
  nice: BYTE_UNITS.flatMap((unit) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((amount) => amount * unit)),
  coarse: BYTE_UNITS.flatMap((unit) => [1, 10, 100].map((amount) => amount * unit)),
};

const MOST_STEPS = 5;
const FEWEST_MARKS = 3;
/** A run that took this many times the median would flatten all others. */
const OUTLIER = 10;
/** Durations shorter than this share of the median are drawn alike. */
const SHORTEST_PART = 1_000;
const SHORTEST_MS = 1;

export function chartAxis(durations: readonly number[], marks: Marks = DURATION_MARKS): ChartAxis {
  const longest = Math.max(SHORTEST_MS, ...extremes(durations));
  const usual = Math.max(SHORTEST_MS, median(durations));
  return longest > OUTLIER * usual ? logAxis(durations, usual, longest, marks) : linearAxis(longest, marks);
}

function linearAxis(longest: number, { nice: all }: Marks): ChartAxis {
  const step = all.find((nice) => longest / nice <= MOST_STEPS) ?? longest;
  const steps = Math.max(1, Math.ceil(longest / step));
  const ticks = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return { kind: 'linear', min: 0, max: steps * step, ticks };
}

function logAxis(
  durations: readonly number[],
  usual: number,
  longest: number,
  { nice: all, coarse: few }: Marks,
): ChartAxis {
  const [shortest = SHORTEST_MS] = extremes(durations);
  const floor = Math.max(SHORTEST_MS, shortest, usual / SHORTEST_PART);
  const min = all.findLast((nice) => nice <= floor) ?? SHORTEST_MS;
  const max = all.find((nice) => nice >= longest) ?? longest;
  const within = (marks: readonly number[]) => marks.filter((tick) => tick >= min && tick <= max);
  const coarse = within(few);
  return { kind: 'log', min, max, ticks: coarse.length < FEWEST_MARKS ? within(all) : coarse };
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
export function summaryText(runs: readonly Run[], metric: Metric): string {
  if (runs.length === 0) return '';
  const counts = Map.groupBy(runs, ({ state }) => choiceOf(state));
  const told = STATE_CHOICES.flatMap((choice) => {
    const count = counts.get(choice)?.length ?? 0;
    return count === 0 ? [] : [`${count} ${STATE_LABELS[choice]}`];
  });
  return `${countText(runs.length, 'run')}: ${told.join(', ')}.${amountsText(runs, metric)}`;
}

function amountsText(runs: readonly Run[], { of, format, label }: Metric): string {
  const ended = runs.filter(({ state }) => !isLive(state) && state !== 'skipped').flatMap((run) => of(run, 0) ?? []);
  const [, most = 0] = extremes(ended);
  if (ended.length === 0) return '';
  if (ended.length === 1) return ` ${label} ${format(most)}.`;
  return ` Median ${format(median(ended))}, max ${format(most)}.`;
}
