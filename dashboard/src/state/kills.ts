/** The kills that the store knows, and how those are fetched whose end was missed. */
import { computed } from '@preact/signals';
import type { Kill } from '#protocol/api';
import type { Page } from '../api/calls.ts';
import type { Failure, Result } from '../api/failure.ts';
import { type RunRef, runRef } from './run-ref.ts';
import { isInProgress, store } from './store.ts';

export const { kills } = store;

/** Runs that were disconnected or lost when they were to be killed: the kill follows when they reconnect. */
export const awaitedByKill = computed<ReadonlySet<RunRef>>(
  () =>
    new Set(
      [...kills.value.values()].flatMap(({ job, targets }) =>
        targets.filter(({ state }) => state === 'pending' || state === 'lost').map(({ run }) => runRef(job, run)),
      ),
    ),
);

export function upsertKills(arrived: readonly Kill[]): void {
  store.apply({ kills: arrived });
}

/** Fetches the newest kills, down to the oldest one in progress. */
export async function resyncKills(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Kill>>>,
): Promise<Failure | null> {
  const [oldest] = [...kills.peek().values()]
    .filter(isInProgress)
    .map(({ id }) => id)
    .sort();
  if (oldest === undefined) return null;
  let cursor: string | null = null;
  let reached: string | undefined;
  do {
    const page: Result<Page<Kill>> = await fetchPage(cursor);
    if (!page.ok) return page.failure;
    upsertKills(page.value.items);
    cursor = page.value.next;
    // Ids begin with the time.
    reached = page.value.items.at(-1)?.id ?? reached;
  } while (cursor !== null && (reached === undefined || reached > oldest));
  return null;
}
