/** The runs of the period in view: loaded where they aren't known yet, then kept up to date by what is pushed. */
import { signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchRuns } from '../../api/calls.ts';
import type { Failure } from '../../api/failure.ts';
import { type RunRef, refOf, runRef } from '../../state/run-ref.ts';
import { newerOf, type RemovedRun } from '../../state/store.ts';
import { type Lane, LaneIndex, type LaneKind, timed } from './lanes.ts';
import { overlaps, type Period } from './view.ts';

const PAGE_SIZE = 500;
/** One view loads no more than this: the newest runs matter most, and a closer zoom shows all. */
const MOST_PAGES = 20;
export const MOST_LOADED = MOST_PAGES * PAGE_SIZE;
const RETRY_MS = 3_000;
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
  #grouping: readonly [LaneKind, (run: Run) => boolean] = ['job', () => true];
  #index = new LaneIndex(...this.#grouping);
  #runs = new Map<RunRef, Run>();
  #shown: Period | null = null;
  /** All runs of this period are there; one that reaches to the present ends at Infinity. */
  #loaded: Period | null = null;
  #generation = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** By name. */
  get lanes(): readonly Lane[] {
    return this.#index.lanes;
  }

  groupBy(kind: LaneKind, accepts: (run: Run) => boolean): void {
    this.#grouping = [kind, accepts];
    this.#index = new LaneIndex(kind, accepts);
    this.#index.put(this.#runs.values());
  }

  /** Adds runs, wherever they come from; of each the newest version stays. */
  put(runs: Iterable<Run>): void {
    const changed: Run[] = [];
    for (const run of runs) {
      const known = this.#runs.get(refOf(run));
      if (newerOf(known, run) === known) continue;
      this.#runs.set(refOf(run), run);
      changed.push(run);
    }
    if (changed.length === 0) return;
    this.#index.put(changed);
    if (this.#runs.size > MOST_KEPT) this.#evict();
    this.#announce();
  }

  /** Removes what the control plane has deleted. */
  forget(forgotten: readonly RemovedRun[]): void {
    const known = forgotten.map(({ job, id, seq }) => ({ run: this.#runs.get(runRef(job, id)), seq }));
    this.#remove(known.flatMap(({ run, seq }) => (run === undefined || run.seq > seq ? [] : [run])));
  }

  /** Loads what is missing of a period. One that reaches to the present ends at Infinity. */
  show(period: Period): void {
    this.#shown = period;
    this.incompleteBefore.value = null;
    void this.#load();
  }

  /** Loads all again, after an outage of the pushes. */
  refresh(): void {
    this.#loaded = null;
    void this.#load();
  }

  close(): void {
    this.#generation += 1;
    clearTimeout(this.#retry);
  }

  #announce(): void {
    // Without subscribing to it: effects call this.
    this.version.value = this.version.peek() + 1;
  }

  #remove(runs: readonly Run[]): void {
    if (runs.length === 0) return;
    for (const run of runs) this.#runs.delete(refOf(run));
    this.#index.remove(runs);
    this.#announce();
  }

  async #load(): Promise<void> {
    this.#generation += 1;
    const mine = this.#generation;
    clearTimeout(this.#retry);
    if (this.#shown === null) return;
    const gaps = missing(this.#loaded, this.#shown);
    this.loading.value = gaps.length > 0;
    let failure: Failure | null = null;
    for (const gap of gaps) {
      failure = await this.#loadGap(gap, () => mine !== this.#generation);
      if (mine !== this.#generation) return;
      if (failure !== null) break;
    }
    this.failure.value = failure;
    this.loading.value = false;
    if (failure !== null) this.#retry = setTimeout(() => void this.#load(), RETRY_MS);
  }

  /** Each page is shown as it comes. */
  async #loadGap(gap: Period, isOutdated: () => boolean): Promise<Failure | null> {
    const since = new Date(gap.from).toISOString();
    const until = gap.to === Number.POSITIVE_INFINITY ? null : new Date(gap.to).toISOString();
    const unlisted = this.#startedIn(gap);
    let cursor: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await fetchRuns({ since, until, limit: PAGE_SIZE, cursor });
      if (isOutdated()) return null;
      if (!answer.ok) return answer.failure;
      const { items, next } = answer.value;
      this.put(items);
      for (const run of items) unlisted.delete(refOf(run));
      cursor = next;
      if (cursor === null) {
        this.#loaded = joined(this.#loaded, gap);
        // Deleted meanwhile, unless a push has brought it since.
        this.#remove([...unlisted].flatMap(([ref, run]) => (this.#runs.get(ref) === run ? [run] : [])));
        return null;
      }
      if (page === MOST_PAGES - 1) this.#markIncomplete(items.at(-1));
    }
    return null;
  }

  /** Those that a list of the period must have. */
  #startedIn({ from, to }: Period): Map<RunRef, Run> {
    const isIn = (start: number) => start >= from && start < to;
    return new Map([...this.#runs].filter(([, run]) => isIn(Date.parse(run.started_at))));
  }

  #markIncomplete(oldest: Run | undefined): void {
    if (oldest === undefined) return;
    this.incompleteBefore.value = Math.max(this.incompleteBefore.peek() ?? 0, Date.parse(oldest.started_at));
  }

  /** Drops what is out of view; then the oldest of what has ended. */
  #evict(): void {
    const shown = this.#shown ?? { from: 0, to: Number.POSITIVE_INFINITY };
    const inView = [...this.#runs.values()].filter((run) => overlaps(timed(run), shown)).sort(openThenNewestFirst);
    const kept = inView.slice(0, KEPT_WHEN_FULL);
    if (kept.length < inView.length) this.#markIncomplete(kept.at(-1));
    this.#loaded = null;
    this.#runs = new Map(kept.map((run) => [refOf(run), run]));
    this.groupBy(...this.#grouping);
  }
}

function openThenNewestFirst(a: Run, b: Run): number {
  return Number(b.ended_at === null) - Number(a.ended_at === null) || (a.started_at < b.started_at ? 1 : -1);
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
