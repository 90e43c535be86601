/** Fetching what was missed while no socket reported changes. */

import type { Run } from '#protocol/api';
import { LIVE_STATES } from '#protocol/run-state';
import { mapConcurrent } from '#shared/map-concurrent';
import { fetchAllRuns, fetchRun, type ListQuery, type Whole } from '../api/calls.ts';
import { type Failure, isTemporary, type Result } from '../api/failure.ts';
import { type RunRef, refOf } from './run-ref.ts';
import { isOpen, type Runs, store } from './store.ts';

/** Those of runs that may be open. */
const OPEN_STATES = [...LIVE_STATES, 'lost'].join(',');

const RETRY_MS = 3_000;
const CONCURRENT_FETCHES = 6;

/** Whether a newer attempt has begun, or none is wanted any more: then the response is ignored. */
export type IsOutdated = () => boolean;

/** Attempts to fetch something until it succeeds, or until a failure that does not pass by itself. */
export class Resync {
  readonly #attempt: (isOutdated: IsOutdated) => Promise<Failure | null>;
  readonly #done: (failure: Failure | null) => void;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param attempt returns null when all was fetched
   * @param done is called after each attempt that isn't outdated
   */
  constructor(attempt: (isOutdated: IsOutdated) => Promise<Failure | null>, done: (failure: Failure | null) => void) {
    this.#attempt = attempt;
    this.#done = done;
  }

  async begin(): Promise<void> {
    this.stop();
    const mine = this.#attempts;
    const isOutdated = () => mine !== this.#attempts;
    const failure = await this.#attempt(isOutdated);
    if (isOutdated()) return;
    this.#done(failure);
    if (failure !== null && isTemporary(failure)) this.#retry = setTimeout(() => void this.begin(), RETRY_MS);
  }

  stop(): void {
    this.#attempts += 1;
    clearTimeout(this.#retry);
  }
}

/** A few at a time, until it is outdated. */
export async function fetchEach<Item>(
  items: readonly Item[],
  fetch: (item: Item) => Promise<void>,
  isOutdated: IsOutdated,
): Promise<void> {
  await mapConcurrent(items, CONCURRENT_FETCHES, async (item) => {
    if (!isOutdated()) await fetch(item);
  });
}

/**
 * Fetches the open runs, of all jobs or of one. Those that the store has and the list hasn't have ended meanwhile: they
 * are fetched one by one.
 */
export async function resyncOpenRuns(
  query: ListQuery & { readonly job?: string },
  isOutdated: IsOutdated,
  onPage: () => void = () => undefined,
): Promise<Result<Whole<Run>>> {
  const before = openRunsOf(query.job);
  const listed = new Set<RunRef>();
  const list = await fetchAllRuns({ ...query, state: OPEN_STATES }, (page) => {
    if (isOutdated()) return;
    for (const run of page) listed.add(refOf(run));
    // The list has runs that are lost for good, too: of those, only the ones that were open are news.
    store.apply({ runs: page.filter((run) => isOpen(run) || before.has(refOf(run))) });
    onPage();
  });
  if (list.ok) await fetchEach(unlistedRuns(before, store.open.peek(), listed), refetch, isOutdated);
  return list;
}

function openRunsOf(job: string | undefined): Runs {
  const open = store.open.peek();
  return job === undefined ? open : new Map([...open].filter(([, run]) => run.job === job));
}

/** Runs that a complete list doesn't have, and that haven't changed since it was requested. */
export function unlistedRuns(before: Runs, now: Runs, listed: ReadonlySet<RunRef>): Run[] {
  return [...before].flatMap(([ref, run]) => (!listed.has(ref) && now.get(ref) === run ? [run] : []));
}

async function refetch(run: Run): Promise<void> {
  const answer = await fetchRun(run.id, run.job);
  if (answer.ok) store.apply({ runs: [answer.value] });
  else if (isUnknown(answer.failure)) store.remove(refOf(run));
}

export function isUnknown(failure: Failure): boolean {
  return failure.kind === 'problem' && failure.status === 404;
}
