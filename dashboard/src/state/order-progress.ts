/** How far the kills of one order have come, told from what the control plane has said of its kills. Pure. */
import type { Kill, Target } from '#protocol/api';
import type { TargetState } from '#protocol/kill';
import { hasSurvivors, type Survivors } from './survivors.ts';

type SurvivorsOn = Survivors & Pick<Target, 'machine'>;

export interface OrderProgress {
  /**
   * By what has become of each run: a target's state, `survived` where that is `gone` and something could not be ended,
   * `idle` for a kill for which nothing runs now, or `none` for one that has found no run yet.
   */
  readonly counts: Readonly<Record<TargetState | 'survived' | 'idle' | 'none', number>>;
  readonly isOver: boolean;
  /** Processes that could not be ended, each with its machine. */
  readonly survivors: readonly SurvivorsOn[];
}

const UNHEARD_OF = { state: 'queued', targets: [], found_nothing: false } as const;

/** @param kills null: it was stored, and there is no word of it yet */
export function orderProgress(kills: readonly (Kill | null)[]): OrderProgress {
  const counts = {
    none: 0,
    idle: 0,
    survived: 0,
    pending: 0,
    sent: 0,
    delivered: 0,
    term: 0,
    kill: 0,
    gone: 0,
    refused: 0,
    lost: 0,
  };
  const survivors: SurvivorsOn[] = [];
  for (const kill of kills) {
    const { targets } = kill ?? UNHEARD_OF;
    const without = countedWithoutTargets(kill ?? UNHEARD_OF);
    if (without !== null) counts[without] += 1;
    for (const target of targets) {
      counts[target.state === 'gone' && hasSurvivors(target) ? 'survived' : target.state] += 1;
      if (!hasSurvivors(target)) continue;
      const { machine, survivors: pids, unnamed_survivors } = target;
      survivors.push({ machine, survivors: pids, unnamed_survivors });
    }
  }
  const isOver = kills.every((kill) => kill?.state === 'settled' || kill?.state === 'expired');
  return { counts, isOver, survivors };
}

/** As what a kill counts that has no targets; null for one that has, or is over. */
function countedWithoutTargets({ state, targets, found_nothing }: typeof UNHEARD_OF | Kill): 'idle' | 'none' | null {
  if (targets.length > 0 || state === 'settled') return null;
  return found_nothing && state === 'queued' ? 'idle' : 'none';
}
