/** Kills by batch: one call for many runs or jobs makes a kill for each. Pure. */
import type { Kill } from '#protocol/api';

export interface Batch {
  readonly id: string;
  readonly kills: readonly Kill[];
}

/** The list with each batch in one place: where its first kill was. */
export function byBatch(kills: readonly Kill[]): (Kill | Batch)[] {
  const groups = Map.groupBy(kills, ({ id, batch }) => batch ?? id);
  return [...groups].map(([id, ofOne]) => {
    const [first] = ofOne;
    return first !== undefined && ofOne.length === 1 ? first : { id, kills: ofOne };
  });
}

export function isBatch(item: Kill | Batch): item is Batch {
  return 'kills' in item;
}

/** The batch as if it were one kill. */
export function stateOfBatch({ kills }: Batch): Pick<Kill, 'state' | 'targets' | 'found_nothing'> {
  return {
    state: commonState(kills),
    targets: kills.flatMap(({ targets }) => targets),
    found_nothing: kills.every(({ found_nothing }) => found_nothing),
  };
}

function commonState(kills: readonly Kill[]): Kill['state'] {
  const states = new Set(kills.map(({ state }) => state));
  const [only] = states;
  if (only !== undefined && states.size === 1) return only;
  // Some are settled and others not, or only some are delivered.
  if (states.has('queued') || states.has('delivered')) return 'delivered';
  return 'settled';
}

/** How many runs the batch is for: those that were found, and those that are named and not found yet. */
export function runCount({ kills }: Batch): number {
  const named = kills.filter(({ run, targets }) => run !== null && targets.length === 0).length;
  return kills.reduce((sum, { targets }) => sum + targets.length, named);
}

export function jobCount({ kills }: Batch): number {
  return new Set(kills.map(({ job }) => job)).size;
}
