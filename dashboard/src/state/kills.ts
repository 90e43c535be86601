/** Every command this page has heard of, by id: from answers and from sockets, in any order. The higher `seq` is the newer. */
import { computed, signal } from '@preact/signals';
import type { Command } from '#protocol/api';
import type { Page } from '../api/calls.ts';
import type { Failure, Result } from '../api/failure.ts';
import { type RunRef, runRef } from './run-ref.ts';

export type Commands = ReadonlyMap<string, Command>;

export const commands = signal<Commands>(new Map());

/** Runs that were out of touch or lost when a kill was ordered: it is carried out when they come back. */
export const awaitedByKill = computed<ReadonlySet<RunRef>>(
  () =>
    new Set(
      [...commands.value.values()].flatMap(({ job, targets }) =>
        targets.filter(({ state }) => state === 'pending' || state === 'lost').map(({ run }) => runRef(job, run)),
      ),
    ),
);

export function keepCommands(arrived: readonly Command[]): void {
  commands.value = trimmedCommands(mergeCommands(commands.peek(), arrived));
}

/** Another person may sign in next. */
export function forgetCommands(): void {
  commands.value = new Map();
}

/** The same map if nothing new came, so that nothing is drawn again. */
export function mergeCommands(known: Commands, arrived: readonly Command[]): Commands {
  let merged: Map<string, Command> | null = null;
  for (const command of arrived) {
    const current: Command | undefined = (merged ?? known).get(command.id);
    if (current !== undefined && current.seq >= command.seq) continue;
    merged ??= new Map(known);
    merged.set(command.id, command);
  }
  return merged ?? known;
}

/** A page that stays open all day must not grow all day. */
const MOST_KEPT = 10_000;
/** Forgotten are some more than needed, so that it is not done anew for each that comes. */
const ALMOST = 0.95;

/** Forgets the oldest of those that are over when there are too many. The same map if there are not. */
export function trimmedCommands(known: Commands, most: number = MOST_KEPT): Commands {
  if (known.size <= most) return known;
  const over = [...known.values()].filter((command) => !isUnderWay(command)).map(({ id }) => id);
  const forgotten = new Set(over.sort().slice(0, known.size - Math.ceil(most * ALMOST)));
  return new Map([...known].filter(([id]) => !forgotten.has(id)));
}

/**
 * Asks what has become of the commands whose end this page has not heard of: newest first, down to the oldest of them. One
 * order for many runs is as many commands. Says why it could not, or null.
 */
export async function catchUpOnCommands(
  fetchPage: (cursor: string | null) => Promise<Result<Page<Command>>>,
): Promise<Failure | null> {
  const [oldest] = [...commands.peek().values()]
    .filter(isUnderWay)
    .map(({ id }) => id)
    .sort();
  if (oldest === undefined) return null;
  let cursor: string | null = null;
  let reached: string | undefined;
  do {
    const page: Result<Page<Command>> = await fetchPage(cursor);
    if (!page.ok) return page.failure;
    keepCommands(page.value.items);
    cursor = page.value.next;
    // Ids begin with the time.
    reached = page.value.items.at(-1)?.id ?? reached;
  } while (cursor !== null && (reached === undefined || reached > oldest));
  return null;
}

function isUnderWay({ state }: Command): boolean {
  return state === 'queued' || state === 'delivered';
}
