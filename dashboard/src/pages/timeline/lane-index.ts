/** Runs by the lane that they are in, each lane in the order of their starts. A change costs what its own lane has. */
import type { Run } from '#protocol/api';
import type { Runs } from '../../state/newest.ts';
import { type RunRef, refOf } from '../../state/run-ref.ts';
import type { Period } from './view.ts';

export type LaneKind = 'job' | 'machine';

/** Never changed: one that has changed is another one, so that what was made of it can be kept beside it. */
export class Lane {
  readonly name: string;
  readonly runs: Runs;
  #spans: readonly RunSpan[] | null = null;
  /** By index of `spans`: the latest end up to there. */
  #latestEnds: readonly number[] = [];

  constructor(name: string, runs: Runs) {
    this.name = name;
    this.runs = runs;
  }

  /** The earliest start first. */
  get spans(): readonly RunSpan[] {
    if (this.#spans === null) {
      this.#spans = Array.from(this.runs.values(), spanOf).sort(byStart);
      let latest = Number.NEGATIVE_INFINITY;
      this.#latestEnds = this.#spans.map(({ to }) => {
        latest = Math.max(latest, to ?? Number.POSITIVE_INFINITY);
        return latest;
      });
    }
    return this.#spans;
  }

  /** Whether any of its runs was alive at some time in the period. */
  isBusy({ from, to }: Period): boolean {
    const { spans } = this;
    let [low, high] = [0, spans.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((spans[middle]?.from ?? 0) <= to) low = middle + 1;
      else high = middle;
    }
    return low > 0 && (this.#latestEnds[low - 1] ?? 0) >= from;
  }
}

export interface RunSpan {
  readonly run: Run;
  readonly from: number;
  /** Null while it has not ended. */
  readonly to: number | null;
}

/** Times are read once for each run: lanes are put together anew with every letter of a filter. */
const knownSpans = new WeakMap<Run, RunSpan>();

function spanOf(run: Run): RunSpan {
  const known = knownSpans.get(run);
  if (known !== undefined) return known;
  const from = Date.parse(run.started_at);
  const span = { run, from, to: run.ended_at === null ? null : Math.max(from, Date.parse(run.ended_at)) };
  knownSpans.set(run, span);
  return span;
}

function byStart(a: RunSpan, b: RunSpan): number {
  return a.from - b.from || (a.run.id < b.run.id ? -1 : 1);
}

export class LaneIndex {
  readonly #kind: LaneKind;
  readonly #accepts: (run: Run) => boolean;
  readonly #lanes = new Map<string, Lane>();
  #sorted: readonly Lane[] | null = null;

  constructor(kind: LaneKind, accepts: (run: Run) => boolean) {
    this.#kind = kind;
    this.#accepts = accepts;
  }

  /** Takes runs that are new, or have changed. */
  put(runs: Iterable<Run>): void {
    const changed = new Map<string, Map<RunRef, Run>>();
    for (const run of runs) {
      const name = run[this.#kind];
      const isIn = this.#lanes.get(name)?.runs.has(refOf(run)) === true;
      const isWanted = this.#accepts(run);
      if (!isIn && !isWanted) continue;
      let lane = changed.get(name);
      if (lane === undefined) {
        lane = new Map(this.#lanes.get(name)?.runs);
        changed.set(name, lane);
      }
      if (isWanted) lane.set(refOf(run), run);
      else lane.delete(refOf(run));
    }
    this.#replace(changed);
  }

  /** Takes runs away. */
  remove(runs: Iterable<Run>): void {
    const changed = new Map<string, Map<RunRef, Run>>();
    for (const run of runs) {
      const name = run[this.#kind];
      const known = this.#lanes.get(name);
      if (known === undefined) continue;
      const lane = changed.get(name) ?? new Map(known.runs);
      lane.delete(refOf(run));
      changed.set(name, lane);
    }
    this.#replace(changed);
  }

  lane(name: string): Lane | undefined {
    return this.#lanes.get(name);
  }

  /** By name, so that a lane stays where the eye has found it. */
  get lanes(): readonly Lane[] {
    this.#sorted ??= [...this.#lanes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  #replace(changed: ReadonlyMap<string, Runs>): void {
    if (changed.size > 0) this.#sorted = null;
    for (const [name, runs] of changed) {
      if (runs.size === 0) this.#lanes.delete(name);
      else this.#lanes.set(name, new Lane(name, runs));
    }
  }
}
