/**
 * The ended and open runs of a job, newest start first: pages of a filtered list, and whatever the store learns of the job.
 *
 * The store may know runs far below the loaded pages, because they have just changed, and not the runs between. So the
 * history is shown down to where the pages reach, and no further.
 */
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Run } from '#protocol/api';
import { fetchRuns } from '../../api/calls.ts';
import { createLister, type Listing } from '../../state/listing.ts';
import { store } from '../../state/store.ts';
import { EVERYTHING, matchesRun, type RunFilter } from './filter.ts';

/** The first page comes soon; the later ones are for those who want many. */
const FIRST_PAGE = 200;
const LATER_PAGE = 500;
/** A view that stays open all day must not grow all day. */
export const MOST_RUNS = 20_000;
/** Some more are dropped at once, so that it's rarely done. */
const ALMOST = 0.95;
/** Begins a cursor of ours, in place of one of the API: a start time. */
const UNTIL = 'until ';

/** Where a run is in the list. */
type Position = Pick<Run, 'started_at' | 'id'>;

export class RunHistory {
  readonly #job: string;
  readonly #filter = signal(EVERYTHING);
  readonly #lister = signal(createLister<Run>((cursor) => this.#fetchPage(EVERYTHING, cursor)));
  readonly #release: () => void;
  /** The runs of the job that are known, whatever the filter. */
  readonly runs: ReadonlySignal<readonly Run[]>;
  readonly listing: ReadonlySignal<Listing<Run>> = computed(() => this.#lister.value.state.value);
  readonly shown: ReadonlySignal<readonly Run[]>;
  /** Whether no more should be loaded: it would be dropped again. */
  readonly isFull: ReadonlySignal<boolean>;

  constructor(job: string) {
    this.#job = job;
    this.#release = store.retain((run) => run.job === job);
    this.runs = computed(() =>
      [...store.open.value.values(), ...store.ended.value.values()].filter((run) => run.job === job),
    );
    this.shown = computed(() => shownRuns(this.runs.value, this.listing.value, this.#filter.value));
    this.isFull = computed(() => this.runs.value.length >= MOST_RUNS * ALMOST);
  }

  /** @param least as many runs as the reader has seen before */
  setFilter(filter: RunFilter, least = 0): void {
    this.#filter.value = filter;
    this.#lister.value = createLister((cursor) => this.#fetchPage(filter, cursor), { least });
    void this.#lister.value.reload();
  }

  /** The next page, or the first one again after a failure. */
  loadMore(): void {
    const { readAt, isBusy } = this.listing.value;
    if (isBusy || this.isFull.value) return;
    void (readAt === null ? this.#lister.value.reload() : this.#lister.value.more());
  }

  /** Drops the oldest runs when there are too many: they can be loaded again. */
  trim(most: number = MOST_RUNS): void {
    const runs = this.runs.peek();
    if (runs.length <= most) return;
    const last = runs.toSorted(newestStartFirst)[Math.ceil(most * ALMOST) - 1];
    if (last === undefined) return;
    const isBelow = (run: Position) => newestStartFirst(run, last) > 0;
    store.dropEnded((run) => run.job === this.#job && isBelow(run));
    const { items, readAt, hasMore } = this.listing.peek();
    const reachesFurther = readAt !== null && (!hasMore || items.some(isBelow));
    if (!reachesFurther) return;
    const until = new Date(Date.parse(last.started_at) + 1).toISOString();
    this.#lister.value.truncate([...items.filter((run) => !isBelow(run)), last], UNTIL + until);
  }

  close(): void {
    this.#release();
  }

  async #fetchPage({ states, machine, instance }: RunFilter, cursor: string | null) {
    const from = cursor?.startsWith(UNTIL) ? { until: cursor.slice(UNTIL.length) } : { cursor };
    const limit = cursor === null ? FIRST_PAGE : LATER_PAGE;
    const answer = await fetchRuns({ job: this.#job, state: states.join(','), machine, instance, ...from, limit });
    if (answer.ok) store.apply({ pastRuns: answer.value.items });
    return answer;
  }
}

/** Before a page is loaded: the runs that are known already. */
export function shownRuns(
  runs: readonly Run[],
  { items, hasMore }: Pick<Listing<Position>, 'items' | 'hasMore'>,
  filter: RunFilter,
): Run[] {
  const last = hasMore ? items.at(-1) : undefined;
  return runs
    .filter((run) => matchesRun(filter, run) && (last === undefined || newestStartFirst(run, last) <= 0))
    .sort(newestStartFirst);
}

function newestStartFirst(a: Position, b: Position): number {
  if (a.started_at !== b.started_at) return a.started_at < b.started_at ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

/** A run is reported only after it has started: the job is as old as its earliest known run. */
export function firstSeen(listedAt: string | null, runs: readonly Pick<Run, 'started_at'>[]): string | null {
  if (listedAt === null) return null;
  return runs.reduce(
    (first, run) => (Date.parse(run.started_at) < Date.parse(first) ? run.started_at : first),
    listedAt,
  );
}
