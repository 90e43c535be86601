/** Kills by the order that has made them: one order for many runs or jobs is as many kills. Pure. */
import type { Kill } from '#protocol/api';

/** What one order has made, in the order of the list that it is out of. */
export interface Batch {
  readonly id: string;
  readonly kills: readonly Kill[];
}

/** The list with all that one order has made in one place: where its first kill stands. */
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

/** As much of it as says how it stands with all of it. */
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
  // Some are over and others are not, or none is and some machines have it.
  if (states.has('queued') || states.has('delivered')) return 'delivered';
  return 'settled';
}

/** How many runs it is for: those that are named, and those that were found. */
export function runCount({ kills }: Batch): number {
  const named = kills.filter(({ run, targets }) => run !== null && targets.length === 0).length;
  return kills.reduce((sum, { targets }) => sum + targets.length, named);
}

export function jobCount({ kills }: Batch): number {
  return new Set(kills.map(({ job }) => job)).size;
}
