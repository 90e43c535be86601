/** Which kills the list shows: those that were read, and those that have been heard of since. Pure. */

import * as v from 'valibot';
import type { Kill } from '#protocol/api';
import { KillState } from '#protocol/kill';
import { type Batch, byBatch, isBatch } from '../../state/batches.ts';
import type { Listing } from '../../state/listing.ts';
import type { Kills } from '../../state/store.ts';

export interface KillFilter {
  readonly job: string | null;
  /** Empty for all. */
  readonly states: readonly KillState[];
  /** Only what one order has made. */
  readonly batch: string | null;
}

export function parseKillFilter(query: URLSearchParams): KillFilter {
  const states = (query.get('state') ?? '').split(',').filter((word) => v.is(KillState, word));
  return { job: query.get('job'), states, batch: query.get('batch') };
}

/**
 * One that is shown stays, also when it has gone on to a state that is not asked for: what one follows must not vanish at
 * the moment at which it is done.
 */
export function listedIds(
  shown: ReadonlySet<string>,
  { items, hasMore, readAt }: Pick<Listing<Kill>, 'items' | 'hasMore' | 'readAt'>,
  heard: Kills,
  filter: KillFilter,
): ReadonlySet<string> {
  const ids = new Set(shown);
  for (const { id } of items) ids.add(id);
  if (readAt === null) return ids;
  // What is older than all that was read comes when that is read: shown now, it would stand next to a hole.
  const oldest = hasMore ? (items.at(-1)?.id ?? '') : '';
  for (const kill of heard.values()) {
    if (kill.id > oldest && isAskedFor(kill, filter)) ids.add(kill.id);
  }
  return ids;
}

/** Newest first: ids begin with the time. */
export function newestFirst(ids: ReadonlySet<string>, heard: Kills): Kill[] {
  return [...ids]
    .sort()
    .reverse()
    .flatMap((id) => heard.get(id) ?? []);
}

function isAskedFor({ job, state, batch }: Kill, filter: KillFilter): boolean {
  if (filter.batch !== null && filter.batch !== batch) return false;
  if (filter.job !== null && filter.job !== job) return false;
  return filter.states.length === 0 || filter.states.includes(state);
}

export type KillListRow =
  | { readonly kind: 'batch'; readonly batch: Batch; readonly isOpen: boolean }
  /** @property isPart whether it stands below the row of its order */
  | { readonly kind: 'kill'; readonly kill: Kill; readonly isPart: boolean };

/** One order is one row, and its parts follow it where it is open. @param opened orders that were opened */
export function rowsOf(listed: readonly Kill[], opened: ReadonlySet<string>): KillListRow[] {
  return byBatch(listed).flatMap((item): KillListRow[] => {
    if (!isBatch(item)) return [{ kind: 'kill', kill: item, isPart: false }];
    const isOpen = opened.has(item.id);
    const parts = item.kills.map((kill) => ({ kind: 'kill', kill, isPart: true }) as const);
    return [{ kind: 'batch', batch: item, isOpen }, ...(isOpen ? parts : [])];
  });
}
