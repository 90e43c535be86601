/**
 * Which bars a lane has: runs that overlap in time get rows of their own, and runs too short to be drawn apart share a
 * bar. It depends on the scale alone, not on what is in view: nothing changes its position while one pans. Pure.
 */
import type { Run } from '#protocol/api';
import { refOf } from '../../state/run-ref.ts';
import type { Lane, TimedRun } from './lanes.ts';

/** A shorter run is drawn this wide, and shares its bar with neighbours. */
export const LEAST_BAR_PX = 4;
/** Room for a digit. */
const LEAST_GROUP_PX = 14;
/** Short runs are grouped no further than this, so that it can be seen when one failed. As wide as a finger can hit. */
const BUCKET_PX = 24;
/** Runs beyond are counted in the last row. */
export const MOST_ROWS = 6;

interface Item {
  /** In the order of their starts. More than one: a group. */
  readonly runs: [Run, ...Run[]];
  readonly from: number;
  /** Null while one of them has not ended. */
  to: number | null;
}

interface ShortGroup extends Item {
  to: number;
  readonly bucketEnd: number;
}

export interface Bar extends Readonly<Item> {
  readonly row: number;
  /** Whether it holds what ran at the same time and found no row; a group of short runs comes apart at a closer zoom. */
  readonly isCrowd: boolean;
}

/** @returns the earliest bar first */
export function layOut({ runs }: Lane, msPerPx: number): Bar[] {
  return inRows(withShortGrouped(runs, msPerPx));
}

function withShortGrouped(runs: readonly TimedRun[], msPerPx: number): Item[] {
  const leastMs = LEAST_BAR_PX * msPerPx;
  const items: Item[] = [];
  let group = null as ShortGroup | null;
  for (const { run, from, to } of runs) {
    if (to === null || to - from >= leastMs) {
      items.push({ runs: [run], from, to });
      continue;
    }
    const bucketMs = BUCKET_PX * msPerPx;
    // A pixel stays free between a group and the next bucket's.
    const bucketEnd = (Math.floor(from / bucketMs) + 1) * bucketMs - msPerPx;
    // A little earlier than true where the bar would stick out of its bucket.
    const start = Math.min(from, bucketEnd - leastMs);
    if (group?.bucketEnd === bucketEnd && start < group.to + msPerPx) {
      group.runs.push(run);
      group.to = Math.min(bucketEnd, Math.max(group.to, to, group.from + LEAST_GROUP_PX * msPerPx));
    } else {
      group = { runs: [run], from: start, to: Math.min(bucketEnd, Math.max(to, start + leastMs)), bucketEnd };
      items.push(group);
    }
  }
  return items.sort((a, b) => a.from - b.from);
}

/** Each into the first row with room. In the last row, what overlaps becomes one bar. */
function inRows(items: readonly Item[]): Bar[] {
  const bars: Bar[] = [];
  const rowEnds: number[] = [];
  let crowd: (Item & { isCrowd: boolean }) | null = null;
  for (const { runs, from, to } of items) {
    const free = rowEnds.findIndex((end) => end <= from);
    const row = free === -1 ? rowEnds.length : free;
    if (row < MOST_ROWS - 1) {
      rowEnds[row] = to ?? Number.POSITIVE_INFINITY;
      bars.push({ runs, from, to, row, isCrowd: false });
    } else if (crowd !== null && (crowd.to === null || crowd.to > from)) {
      crowd.runs.push(...runs);
      crowd.to = crowd.to === null || to === null ? null : Math.max(crowd.to, to);
      crowd.isCrowd = true;
    } else {
      const bar = { runs, from, to, row: MOST_ROWS - 1, isCrowd: false };
      crowd = bar;
      bars.push(bar);
    }
  }
  return bars;
}

/** What a bar is known by while others come and go. */
export function keyOf({ runs: [first, ...others] }: Bar): string {
  return others.length === 0 ? refOf(first) : `group ${refOf(first)}`;
}

/** Where a bar ends as drawn. */
export function endOf(bar: Bar, nowMs: number): number {
  return bar.to ?? Math.max(nowMs, bar.from);
}

/** How many rows a lane needs for its bars. */
export function rowsOf(bars: readonly Bar[]): number {
  return bars.reduce((rows, { row }) => Math.max(rows, row + 1), 1);
}

/** The bar that begins nearest to a time. */
export function barNear(bars: readonly Bar[], ms: number): Bar | null {
  const distance = ({ from }: Bar) => Math.abs(from - ms);
  return bars.reduce<Bar | null>(
    (nearest, bar) => (nearest === null || distance(bar) < distance(nearest) ? bar : nearest),
    null,
  );
}
