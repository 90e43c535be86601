/** Every command this page has heard of, by id: from answers and from sockets, in any order. The higher `seq` is the newer. */
import { computed, signal } from '@preact/signals';
import type { Command } from '#protocol/api';

export type Commands = ReadonlyMap<string, Command>;

export const commands = signal<Commands>(new Map());

/** Runs that were out of touch or lost when a kill was ordered: it is carried out when they come back. */
export const awaitedByKill = computed<ReadonlySet<string>>(
  () =>
    new Set(
      [...commands.value.values()].flatMap(({ targets }) =>
        targets.filter(({ state }) => state === 'pending' || state === 'lost').map(({ run }) => run),
      ),
    ),
);

export function keepCommands(arrived: readonly Command[]): void {
  commands.value = mergeCommands(commands.peek(), arrived);
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
