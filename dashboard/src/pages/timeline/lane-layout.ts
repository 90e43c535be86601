/**
 * What of a lane is drawn where: bars that overlap in time get rows of their own, those too short to be told apart are
 * one mark. It goes by the scale alone, not by what is in view: nothing changes its place while one pans. Pure.
 */
import type { Run } from '#protocol/api';
import { isLive, type RunState } from '#protocol/run-state';
import { PROMINENCE } from '../../format/run-state-labels.ts';
import { refOf } from '../../state/run-ref.ts';
import type { Lane, RunSpan } from './lane-index.ts';
import type { Period } from './view.ts';

/** A run that would be narrower is drawn so wide, and is one mark with its neighbours. */
export const LEAST_BAR_PX = 4;
/** Room for a digit. */
const LEAST_GROUP_PX = 14;
/** Short runs are merged no further, so that it can be seen when the bad ones were. As wide as a finger can hit. */
const BUCKET_PX = 24;
/** Runs beyond are counted in the last row. */
export const MOST_ROWS = 6;

export type Mark =
  | { readonly kind: 'run'; readonly run: Run; readonly from: number; readonly to: number | null; readonly row: number }
  | {
      readonly kind: 'group';
      /** In the order of their starts; at least two. */
      readonly runs: readonly Run[];
      readonly from: number;
      /** Null while one of them has not ended. */
      readonly to: number | null;
      readonly row: number;
      /** `short`: apart when one zooms in. `crowd`: more at the same time than there are rows. */
      readonly cause: 'short' | 'crowd';
    };

export interface LaneLayout {
  /** The earliest first. */
  readonly marks: readonly Mark[];
}

/** Before it has got its row. */
interface Item {
  readonly runs: readonly Run[];
  readonly from: number;
  readonly to: number | null;
}

/** @param msPerPx the scale */
export function layOut(lane: Lane, msPerPx: number): LaneLayout {
  return { marks: inRows(itemsOf(lane.spans, msPerPx)) };
}

function itemsOf(spans: readonly RunSpan[], msPerPx: number): Item[] {
  const bars: Item[] = [];
  const clusters: Cluster[] = [];
  for (const { run, from, to } of spans) {
    const last = clusters.at(-1);
    if (to === null || to - from >= LEAST_BAR_PX * msPerPx) bars.push({ runs: [run], from, to });
    else if (last?.takes(from) === true) last.add(run, to);
    else clusters.push(new Cluster(run, from, to, msPerPx));
  }
  return [...bars, ...clusters.map((cluster) => cluster.item())].sort((a, b) => a.from - b.from);
}

/** Runs so short and close to each other that they would cover one another, within one bucket. */
class Cluster {
  readonly #runs: Run[];
  readonly #from: number;
  readonly #bucketEnd: number;
  readonly #msPerPx: number;
  #to: number;

  constructor(run: Run, from: number, to: number, msPerPx: number) {
    const bucketMs = BUCKET_PX * msPerPx;
    this.#runs = [run];
    this.#msPerPx = msPerPx;
    // A pixel stays free between it and what the next bucket holds.
    this.#bucketEnd = (Math.floor(from / bucketMs) + 1) * bucketMs - msPerPx;
    this.#from = this.#startFor(from);
    this.#to = Math.max(to, this.#from + LEAST_BAR_PX * msPerPx);
  }

  takes(from: number): boolean {
    return from < this.#bucketEnd + this.#msPerPx && this.#startFor(from) < this.#to + this.#msPerPx;
  }

  add(run: Run, to: number): void {
    this.#runs.push(run);
    this.#to = Math.max(this.#to, to, this.#from + LEAST_GROUP_PX * this.#msPerPx);
  }

  item(): Item {
    return { runs: this.#runs, from: this.#from, to: Math.min(this.#to, this.#bucketEnd) };
  }

  /** A little earlier than true where it would stick out of the bucket. */
  #startFor(from: number): number {
    return Math.min(from, this.#bucketEnd - LEAST_BAR_PX * this.#msPerPx);
  }
}

/** Each into the first row that has room; the last row takes all that is left over. */
function inRows(items: readonly Item[]): Mark[] {
  const rowEnds: number[] = [];
  const marks: Mark[] = [];
  const crowd: Item[] = [];
  for (const item of items) {
    let row = rowEnds.findIndex((end) => end <= item.from);
    if (row === -1) row = rowEnds.length;
    if (row >= MOST_ROWS - 1) crowd.push(item);
    else {
      rowEnds[row] = item.to ?? Number.POSITIVE_INFINITY;
      marks.push(markOf(item, row, 'short'));
    }
  }
  return [...marks, ...crowded(crowd)].sort((a, b) => a.from - b.from || a.row - b.row);
}

/** What overlaps is one mark. */
function crowded(items: readonly Item[]): Mark[] {
  const marks: Mark[] = [];
  let together: Item[] = [];
  let end = Number.NEGATIVE_INFINITY;
  const close = () => {
    const [first] = together;
    if (first === undefined) return;
    const runs = together.flatMap((item) => item.runs);
    const to = end === Number.POSITIVE_INFINITY ? null : end;
    marks.push(markOf({ runs, from: first.from, to }, MOST_ROWS - 1, together.length === 1 ? 'short' : 'crowd'));
    together = [];
  };
  for (const item of items) {
    if (item.from >= end) close();
    if (together.length === 0) end = Number.NEGATIVE_INFINITY;
    together.push(item);
    end = Math.max(end, item.to ?? Number.POSITIVE_INFINITY);
  }
  close();
  return marks;
}

function markOf({ runs, from, to }: Item, row: number, cause: 'short' | 'crowd'): Mark {
  const [run] = runs;
  return run !== undefined && runs.length === 1
    ? { kind: 'run', run, from, to, row }
    : { kind: 'group', runs, from, to, row, cause };
}

/** What a mark is known by while others come and go. */
export function keyOf(mark: Mark): string {
  if (mark.kind === 'run') return refOf(mark.run);
  const [first] = mark.runs;
  return `group ${first === undefined ? '' : refOf(first)}`;
}

/** Where a mark ends as drawn. */
export function endOf(mark: Mark, nowMs: number): number {
  return mark.to ?? Math.max(nowMs, mark.from);
}

export function marksWithin(marks: readonly Mark[], { from, to }: Period): Mark[] {
  return marks.filter((mark) => mark.from <= to && (mark.to === null || mark.to >= from));
}

/** How many rows a lane needs to show these. */
export function rowsOf(marks: readonly Mark[]): number {
  return marks.reduce((rows, { row }) => Math.max(rows, row + 1), 1);
}

export interface Pointed {
  readonly ms: number;
  /** In rows from the top of the lane; 0.5 is the middle of the first. */
  readonly row: number;
}

interface Reach {
  readonly ms: number;
  readonly rows: number;
  readonly nowMs: number;
}

/** The mark that is pointed at, or the nearest within reach: some are four pixels wide. */
export function markAt(marks: readonly Mark[], at: Pointed, reach: Reach): Mark | null {
  let nearest: Mark | null = null;
  let least = 1;
  for (const mark of marks) {
    const aside = Math.max(0, mark.from - at.ms, at.ms - endOf(mark, reach.nowMs)) / reach.ms;
    const above = Math.max(0, mark.row - at.row, at.row - mark.row - 1) / reach.rows;
    const distance = Math.hypot(aside, above);
    if (distance > least || (distance === least && nearest !== null)) continue;
    nearest = mark;
    least = distance;
  }
  return nearest;
}

/** The one that begins nearest to a time. */
export function markNear(marks: readonly Mark[], ms: number): Mark | null {
  let nearest: Mark | null = null;
  for (const mark of marks) {
    if (nearest === null || Math.abs(mark.from - ms) < Math.abs(nearest.from - ms)) nearest = mark;
  }
  return nearest;
}

/** The state that matters most among runs. */
export function worstOf(runs: readonly Run[]): RunState {
  return runs.reduce<RunState>(
    (worst, { state }) => (PROMINENCE[state] > PROMINENCE[worst] ? state : worst),
    'succeeded',
  );
}

/** Whether nobody knows how it is with the run at present. */
export function isUncertain(run: Run): boolean {
  return run.state === 'lost' || (isLive(run.state) && !run.connected);
}
