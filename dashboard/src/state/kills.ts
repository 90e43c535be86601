/** Every kill this page has heard of, by id: from answers and from sockets, in any order. The higher `seq` is the newer. */
import { computed, signal } from '@preact/signals';
import type { Kill } from '#protocol/api';
import type { Page } from '../api/calls.ts';
import type { Failure, Result } from '../api/failure.ts';
import { type RunRef, runRef } from './run-ref.ts';

export type Kills = ReadonlyMap<string, Kill>;

export const kills = signal<Kills>(new Map());

/** Runs that were out of touch or lost when a kill was ordered: it is carried out when they come back. */
export const awaitedByKill = computed<ReadonlySet<RunRef>>(
  () =>
    new Set(
      [...kills.value.values()].flatMap(({ job, targets }) =>
        targets.filter(({ state }) => state === 'pending' || state === 'lost').map(({ run }) => runRef(job, run)),
      ),
    ),
);

export function keepKills(arrived: readonly Kill[]): void {
  kills.value = trimmedKills(mergeKills(kills.peek(), arrived));
}

/** Another person may sign in next. */
export function forgetKills(): void {
  kills.value = new Map();
}

/** The same map if nothing new came, so that nothing is drawn again. */
export function mergeKills(known: Kills, arrived: readonly Kill[]): Kills {
  let merged: Map<string, Kill> | null = null;
  for (const kill of arrived) {
    const current: Kill | undefined = (merged ?? known).get(kill.id);
    if (current !== undefined && current.seq >= kill.seq) continue;
    merged ??= new Map(known);
    merged.set(kill.id, kill);
  }
  return merged ?? known;
}

/** A page that stays open all day must not grow all day. */
const MOST_KEPT = 10_000;
/** Forgotten are some more than needed, so that it is not done anew for each that comes. */
const ALMOST = 0.95;

/** Forgets the oldest of those that are over when there are too many. The same map if there are not. */
export function trimmedKills(known: Kills, most: number = MOST_KEPT): Kills {
  if (known.size <= most) return known;
  const over = [...known.values()].filter((kill) => !isUnderWay(kill)).map(({ id }) => id);
  const forgotten = new Set(over.sort().slice(0, known.size - Math.ceil(most * ALMOST)));
  return new Map([...known].filter(([id]) => !forgotten.has(id)));
}

/**
 * Asks what has become of the kills whose end this page has not heard of: newest first, down to the oldest of them. One
 * order for many runs is as many kills. Says why it could not, or null.
 */
export async function catchUpOnKills(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Kill>>>,
): Promise<Failure | null> {
  const [oldest] = [...kills.peek().values()]
    .filter(isUnderWay)
    .map(({ id }) => id)
    .sort();
  if (oldest === undefined) return null;
  let cursor: string | null = null;
  let reached: string | undefined;
  do {
    const page: Result<Page<Kill>> = await fetchPage(cursor);
    if (!page.ok) return page.failure;
    keepKills(page.value.items);
    cursor = page.value.next;
    // Ids begin with the time.
    reached = page.value.items.at(-1)?.id ?? reached;
  } while (cursor !== null && (reached === undefined || reached > oldest));
  return null;
}

function isUnderWay({ state }: Kill): boolean {
  return state === 'queued' || state === 'delivered';
}
