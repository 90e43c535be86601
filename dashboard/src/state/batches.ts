/** Commands by the order that has made them: one order for many runs or jobs is as many commands. Pure. */
import type { Command } from '#protocol/api';

/** What one order has made, in the order of the list that it is out of. */
export interface Batch {
  readonly id: string;
  readonly commands: readonly Command[];
}

/** The list with all that one order has made in one place: where its first command stands. */
export function byBatch(commands: readonly Command[]): (Command | Batch)[] {
  const groups = Map.groupBy(commands, ({ id, batch }) => batch ?? id);
  return [...groups].map(([id, ofOne]) => {
    const [first] = ofOne;
    return first !== undefined && ofOne.length === 1 ? first : { id, commands: ofOne };
  });
}

export function isBatch(item: Command | Batch): item is Batch {
  return 'commands' in item;
}

/** As much of it as says how it stands with all of it. */
export function stateOfBatch({ commands }: Batch): Pick<Command, 'state' | 'targets' | 'found_nothing'> {
  return {
    state: commonState(commands),
    targets: commands.flatMap(({ targets }) => targets),
    found_nothing: commands.every(({ found_nothing }) => found_nothing),
  };
}

function commonState(commands: readonly Command[]): Command['state'] {
  const states = new Set(commands.map(({ state }) => state));
  const [only] = states;
  if (only !== undefined && states.size === 1) return only;
  // Some are over and others are not, or none is and some machines have it.
  if (states.has('queued') || states.has('delivered')) return 'delivered';
  return 'settled';
}

/** How many runs it is for: those that are named, and those that were found. */
export function runCount({ commands }: Batch): number {
  const named = commands.filter(({ run, targets }) => run !== null && targets.length === 0).length;
  return commands.reduce((sum, { targets }) => sum + targets.length, named);
}

export function jobCount({ commands }: Batch): number {
  return new Set(commands.map(({ job }) => job)).size;
}
