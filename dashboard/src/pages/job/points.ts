/** Runs as points of the chart: positions, hit testing and the labels of the time axis. Pure. */
import type { Run } from '#protocol/api';
import { timeFormat } from '../../format/time-format.ts';
import type { Metric } from './metrics.ts';

export interface Point {
  readonly run: Run;
  readonly startedSeconds: number;
  readonly amount: number;
}

/**
 * Of the runs that have started and of which the amount is known: what waits or was skipped took nothing.
 *
 * @param runs newest start first, as they are listed. The points come oldest first, as they are drawn
 */
export function pointsOf(runs: readonly Run[], nowMs: number, metric: Metric): Point[] {
  return runs
    .filter(({ state }) => state !== 'waiting' && state !== 'skipped')
    .flatMap((run) => {
      const amount = metric.of(run, nowMs);
      return amount === null ? [] : [{ run, startedSeconds: Date.parse(run.started_at) / 1000, amount }];
    })
    .reverse();
}

const MARGIN_PART = 0.02;
/** A single point doesn't determine the width of the chart. */
const NARROWEST_SECONDS = 30;

/** From where to where the time below the chart goes, in seconds. */
export function timeRange(points: readonly Point[]): [from: number, to: number] {
  const first = points[0]?.startedSeconds ?? 0;
  const last = points.at(-1)?.startedSeconds ?? 0;
  const margin = Math.max((last - first) * MARGIN_PART, (NARROWEST_SECONDS - (last - first)) / 2, 1);
  return [first - margin, last + margin];
}

const TIME = { hour: '2-digit', minute: '2-digit' } as const;
const DAY = { day: 'numeric', month: 'short' } as const;
const DAY_SECONDS = 24 * 60 * 60;

/** The marks below the chart, the day with the first of each day. @param stepSeconds how far apart they are */
export function timeTexts(ticks: readonly number[], stepSeconds: number, timeZone?: string): string[] {
  const zone = timeZone === undefined ? {} : { timeZone };
  const day = timeFormat({ ...DAY, ...zone });
  if (stepSeconds >= DAY_SECONDS) return ticks.map((tick) => day.format(tick * 1000));
  const seconds = stepSeconds < 60 ? ({ second: '2-digit' } as const) : {};
  const time = timeFormat({ ...TIME, ...seconds, ...zone });
  let before: string | null = null;
  return ticks.map((tick) => {
    const today = day.format(tick * 1000);
    const isNew = today !== before;
    before = today;
    return isNew ? `${time.format(tick * 1000)}\n${today}` : time.format(tick * 1000);
  });
}

export interface Pixel {
  readonly x: number;
  readonly y: number;
}

/** The point that is nearest to a place and no further away than `reach`; null if there is none. */
export function nearest(places: readonly Pixel[], to: Pixel, reach: number): number | null {
  let found: number | null = null;
  let least = reach * reach;
  for (const [index, { x, y }] of places.entries()) {
    const distance = (x - to.x) ** 2 + (y - to.y) ** 2;
    if (distance > least) continue;
    least = distance;
    found = index;
  }
  return found;
}
