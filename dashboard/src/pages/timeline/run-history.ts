/** The runs of the period in view: loaded where they aren't known yet, then as the store has them. */
import { effect, signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchRuns } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { type IsOutdated, Resync } from '../../state/resync.ts';
import { type RunRef, refOf } from '../../state/run-ref.ts';
import { type Runs, store } from '../../state/store.ts';
import { type Lane, LaneIndex, type LaneKind, timed } from './lanes.ts';
import { overlaps, type Period } from './view.ts';

const PAGE_SIZE = 500;
/** One view loads no more than this: the newest runs matter most, and a closer zoom shows all. */
const MOST_PAGES = 20;
export const MOST_LOADED = MOST_PAGES * PAGE_SIZE;
/** On a timeline that is open all day runs pile up. */
const MOST_KEPT = 30_000;
const KEPT_WHEN_FULL = 20_000;

export class RunHistory {
  /** Goes up with each change of the lanes. */
  readonly version = signal(0);
  readonly loading = signal(false);
  readonly failure = signal<Failure | null>(null);
  /** Of runs that started before this time some are missing, because there were too many; null when none are. */
  readonly incompleteBefore = signal<number | null>(null);
  #index = new LaneIndex('job', () => true);
  /** What the index has: the store's open runs, and its ended ones. */
  #indexed: readonly Runs[] = [];
  #shown: Period | null = null;
  /** All runs of this period are there; one that reaches to the present ends at Infinity. */
  #loaded: Period | null = null;
  readonly #load = new Resync(
    (isOutdated) => this.#loadMissing(isOutdated),
    (failure) => {
      this.failure.value = failure;
      this.loading.value = false;
    },
  );
  readonly #release = store.retain(() => true);
  readonly #unsubscribe = effect(() => this.#update([store.open.value, store.ended.value]));

  /** By name. */
  get lanes(): readonly Lane[] {
    return this.#index.lanes;
  }

  groupBy(kind: LaneKind, accepts: (run: Run) => boolean): void {
    this.#index = new LaneIndex(kind, accepts);
    for (const runs of this.#indexed) this.#index.put(runs.values());
  }

  /** Loads what is missing of a period. One that reaches to the present ends at Infinity. */
  show(period: Period): void {
    this.#shown = period;
    this.incompleteBefore.value = null;
    void this.#load.begin();
  }

  /** Loads all again, after an outage. */
  refresh(): void {
    this.#loaded = null;
    if (this.#shown !== null) void this.#load.begin();
  }

  close(): void {
    this.#load.stop();
    this.#unsubscribe();
    this.#release();
  }

  #update(stored: readonly Runs[]): void {
    const before = this.#indexed;
    this.#indexed = stored;
    const removed = stored.flatMap((runs, index) => missingRuns(before[index] ?? new Map(), runs));
    const changed = stored.flatMap((runs, index) => changedRuns(before[index] ?? new Map(), runs));
    if (removed.length === 0 && changed.length === 0) return;
    // A run that ends is removed from the one table and added to the other.
    this.#index.remove(removed);
    this.#index.put(changed);
    this.version.value = this.version.peek() + 1;
    if (stored.reduce((sum, { size }) => sum + size, 0) > MOST_KEPT) this.#evict();
  }

  async #loadMissing(isOutdated: IsOutdated): Promise<Failure | null> {
    const gaps = this.#shown === null ? [] : missing(this.#loaded, this.#shown);
    this.loading.value = gaps.length > 0;
    for (const gap of gaps) {
      const failure = await this.#loadGap(gap, isOutdated);
      if (failure !== null || isOutdated()) return failure;
    }
    return null;
  }

  /** Each page is shown as it comes. */
  async #loadGap(gap: Period, isOutdated: IsOutdated): Promise<Failure | null> {
    const since = new Date(gap.from).toISOString();
    const until = gap.to === Number.POSITIVE_INFINITY ? null : new Date(gap.to).toISOString();
    const unlisted = endedRunsOf(gap);
    let cursor: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await fetchRuns({ since, until, limit: PAGE_SIZE, cursor });
      if (isOutdated()) return null;
      if (!answer.ok) return answer.failure;
      const { items, next } = answer.value;
      store.apply({ pastRuns: items });
      for (const run of items) unlisted.delete(refOf(run));
      cursor = next;
      if (cursor === null) {
        this.#loaded = joined(this.#loaded, gap);
        // Deleted meanwhile, unless a push has brought another version since.
        store.dropEnded((run) => unlisted.get(refOf(run)) === run);
        return null;
      }
      if (page === MOST_PAGES - 1) this.#markIncomplete(items.at(-1));
    }
    return null;
  }

  #markIncomplete(oldest: Run | undefined): void {
    if (oldest === undefined) return;
    this.incompleteBefore.value = Math.max(this.incompleteBefore.peek() ?? 0, Date.parse(oldest.started_at));
  }

  /** Drops ended runs: first those out of view, then the oldest. */
  #evict(): void {
    const shown = this.#shown ?? { from: 0, to: Number.POSITIVE_INFINITY };
    const [open = store.open.peek(), ended = store.ended.peek()] = this.#indexed;
    const inView = [...ended.values()].filter((run) => overlaps(timed(run), shown)).sort(newestFirst);
    const kept = inView.slice(0, Math.max(0, KEPT_WHEN_FULL - open.size));
    if (kept.length < inView.length) this.#markIncomplete(kept.at(-1));
    this.#loaded = null;
    const isKept = new Set(kept);
    store.dropEnded((run) => !isKept.has(run));
  }
}

function missingRuns(before: Runs, now: Runs): Run[] {
  return before === now ? [] : [...before].flatMap(([ref, run]) => (now.has(ref) ? [] : [run]));
}

function changedRuns(before: Runs, now: Runs): Run[] {
  return before === now ? [] : [...now].flatMap(([ref, run]) => (before.get(ref) === run ? [] : [run]));
}

/** Those that a list of the period must have. */
function endedRunsOf({ from, to }: Period): Map<RunRef, Run> {
  const isIn = (start: number) => start >= from && start < to;
  return new Map([...store.ended.peek()].filter(([, run]) => isIn(timed(run).from)));
}

function newestFirst(a: Run, b: Run): number {
  return a.started_at < b.started_at ? 1 : -1;
}

function missing(loaded: Period | null, wanted: Period): Period[] {
  if (loaded === null || isApart(loaded, wanted)) return [wanted];
  return [
    { from: wanted.from, to: loaded.from },
    { from: loaded.to, to: wanted.to },
  ].filter(({ from, to }) => from < to);
}

/** One period alone is remembered as loaded: after a jump to another one, the first is loaded again. */
function joined(loaded: Period | null, added: Period): Period {
  if (loaded === null || isApart(loaded, added)) return added;
  return { from: Math.min(loaded.from, added.from), to: Math.max(loaded.to, added.to) };
}

function isApart(a: Period, b: Period): boolean {
  return a.to < b.from || a.from > b.to;
}
