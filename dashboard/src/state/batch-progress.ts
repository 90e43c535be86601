/** How far the kills of a batch have come, as the control plane reports them. Pure. */
import type { Kill, Target } from '#protocol/api';
import type { TargetState } from '#protocol/kill';
import { hasSurvivors, type Survivors } from './survivors.ts';

type SurvivorsOn = Survivors & Pick<Target, 'machine'>;

export interface BatchProgress {
  /**
   * Runs by target state; `survived` is `gone` with survivors. Kills without targets count as `idle` if no matching run
   * exists now, or as `none` if no run was looked for yet.
   */
  readonly counts: Readonly<Record<TargetState | 'survived' | 'idle' | 'none', number>>;
  readonly isOver: boolean;
  readonly survivors: readonly SurvivorsOn[];
}

const NOT_LOADED = { state: 'queued', targets: [], found_nothing: false } as const;

/** @param kills null for one that is stored and not loaded yet */
export function batchProgress(kills: readonly (Kill | null)[]): BatchProgress {
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
    const { targets } = kill ?? NOT_LOADED;
    const without = countedWithoutTargets(kill ?? NOT_LOADED);
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

/** Null for a kill that has targets or is settled. */
function countedWithoutTargets({ state, targets, found_nothing }: typeof NOT_LOADED | Kill): 'idle' | 'none' | null {
  if (targets.length > 0 || state === 'settled') return null;
  return found_nothing && state === 'queued' ? 'idle' : 'none';
}
