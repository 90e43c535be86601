/** How far the kills of one order have come, told from what the control plane has said of its commands. Pure. */
import type { Command, Target } from '#protocol/api';
import type { TargetState } from '#protocol/kill';
import { hasSurvivors, type Survivors } from './survivors.ts';

type SurvivorsOn = Survivors & Pick<Target, 'machine'>;

export interface OrderProgress {
  /**
   * By what has become of each run: a target's state, `survived` where that is `gone` and something could not be ended,
   * `idle` for a command for which nothing runs now, or `none` for one that has found no run yet.
   */
  readonly counts: Readonly<Record<TargetState | 'survived' | 'idle' | 'none', number>>;
  readonly isOver: boolean;
  /** Processes that could not be ended, each with its machine. */
  readonly survivors: readonly SurvivorsOn[];
}

const UNHEARD_OF = { state: 'queued', targets: [], found_nothing: false } as const;

/** @param commands null: it was stored, and there is no word of it yet */
export function orderProgress(commands: readonly (Command | null)[]): OrderProgress {
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
  for (const command of commands) {
    const { targets } = command ?? UNHEARD_OF;
    const without = countedWithoutTargets(command ?? UNHEARD_OF);
    if (without !== null) counts[without] += 1;
    for (const target of targets) {
      counts[target.state === 'gone' && hasSurvivors(target) ? 'survived' : target.state] += 1;
      if (!hasSurvivors(target)) continue;
      const { machine, survivors: pids, unnamed_survivors } = target;
      survivors.push({ machine, survivors: pids, unnamed_survivors });
    }
  }
  const isOver = commands.every((command) => command?.state === 'settled' || command?.state === 'expired');
  return { counts, isOver, survivors };
}

/** As what a command counts that has no targets; null for one that has, or is over. */
function countedWithoutTargets({ state, targets, found_nothing }: typeof UNHEARD_OF | Command): 'idle' | 'none' | null {
  if (targets.length > 0 || state === 'settled') return null;
  return found_nothing && state === 'queued' ? 'idle' : 'none';
}
