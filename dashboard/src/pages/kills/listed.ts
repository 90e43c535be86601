/** Which kills the list shows: those that were loaded, and those that were reported since. Pure. */

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
  /** Only one batch. */
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
  known: Kills,
  filter: KillFilter,
): ReadonlySet<string> {
  const ids = new Set(shown);
  for (const { id } of items) ids.add(id);
  if (readAt === null) return ids;
  // An older kill is shown once its page is loaded: before that, kills between would be missing.
  const oldest = hasMore ? (items.at(-1)?.id ?? '') : '';
  for (const kill of known.values()) {
    if (kill.id > oldest && isAskedFor(kill, filter)) ids.add(kill.id);
  }
  return ids;
}

/** Newest first: ids begin with the time. */
export function newestFirst(ids: ReadonlySet<string>, known: Kills): Kill[] {
  return [...ids]
    .sort()
    .reverse()
    .flatMap((id) => known.get(id) ?? []);
}

function isAskedFor({ job, state, batch }: Kill, filter: KillFilter): boolean {
  if (filter.batch !== null && filter.batch !== batch) return false;
  if (filter.job !== null && filter.job !== job) return false;
  return filter.states.length === 0 || filter.states.includes(state);
}

export type KillListRow =
  | { readonly kind: 'batch'; readonly batch: Batch; readonly isOpen: boolean }
  /** @property isPart whether it is listed under its batch */
  | { readonly kind: 'kill'; readonly kill: Kill; readonly isPart: boolean };

/** A batch is one row, followed by its kills when it is open. @param opened the open batches */
export function rowsOf(listed: readonly Kill[], opened: ReadonlySet<string>): KillListRow[] {
  return byBatch(listed).flatMap((item): KillListRow[] => {
    if (!isBatch(item)) return [{ kind: 'kill', kill: item, isPart: false }];
    const isOpen = opened.has(item.id);
    const parts = item.kills.map((kill) => ({ kind: 'kill', kill, isPart: true }) as const);
    return [{ kind: 'batch', batch: item, isOpen }, ...(isOpen ? parts : [])];
  });
}
