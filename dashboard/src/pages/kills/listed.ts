/** Which commands the list shows: those that were read, and those that have been heard of since. Pure. */

import * as v from 'valibot';
import type { Command } from '#protocol/api';
import { CommandState } from '#protocol/kill';
import { type Batch, byBatch, isBatch } from '../../state/batches.ts';
import type { Commands } from '../../state/kills.ts';
import type { Listing } from '../../state/listing.ts';

export interface Narrowing {
  readonly job: string | null;
  /** Empty for all. */
  readonly states: readonly CommandState[];
  /** Only what one order has made. */
  readonly batch: string | null;
}

export function readNarrowing(query: URLSearchParams): Narrowing {
  const states = (query.get('state') ?? '').split(',').filter((word) => v.is(CommandState, word));
  return { job: query.get('job'), states, batch: query.get('batch') };
}

/**
 * One that is shown stays, also when it has gone on to a state that is not asked for: what one follows must not vanish at
 * the moment at which it is done.
 */
export function listedIds(
  shown: ReadonlySet<string>,
  { items, hasMore, readAt }: Pick<Listing<Command>, 'items' | 'hasMore' | 'readAt'>,
  heard: Commands,
  narrowing: Narrowing,
): ReadonlySet<string> {
  const ids = new Set(shown);
  for (const { id } of items) ids.add(id);
  if (readAt === null) return ids;
  // What is older than all that was read comes when that is read: shown now, it would stand next to a hole.
  const oldest = hasMore ? (items.at(-1)?.id ?? '') : '';
  for (const command of heard.values()) {
    if (command.id > oldest && isAskedFor(command, narrowing)) ids.add(command.id);
  }
  return ids;
}

/** Newest first: ids begin with the time. */
export function newestFirst(ids: ReadonlySet<string>, heard: Commands): Command[] {
  return [...ids]
    .sort()
    .reverse()
    .flatMap((id) => heard.get(id) ?? []);
}

function isAskedFor({ job, state, batch }: Command, narrowing: Narrowing): boolean {
  if (narrowing.batch !== null && narrowing.batch !== batch) return false;
  if (narrowing.job !== null && narrowing.job !== job) return false;
  return narrowing.states.length === 0 || narrowing.states.includes(state);
}

export type CommandListRow =
  | { readonly kind: 'batch'; readonly batch: Batch; readonly isOpen: boolean }
  /** @property isPart whether it stands below the row of its order */
  | { readonly kind: 'command'; readonly command: Command; readonly isPart: boolean };

/** One order is one row, and its parts follow it where it is open. @param opened orders that were opened */
export function rowsOf(listed: readonly Command[], opened: ReadonlySet<string>): CommandListRow[] {
  return byBatch(listed).flatMap((item): CommandListRow[] => {
    if (!isBatch(item)) return [{ kind: 'command', command: item, isPart: false }];
    const isOpen = opened.has(item.id);
    const parts = item.commands.map((command) => ({ kind: 'command', command, isPart: true }) as const);
    return [{ kind: 'batch', batch: item, isOpen }, ...(isOpen ? parts : [])];
  });
}
