/** What of a run could not be ended. Pure. */
import type { Target } from '#protocol/api';

export type Survivors = Pick<Target, 'survivors' | 'unnamed_survivors'>;

export const NO_SURVIVORS: Survivors = { survivors: [], unnamed_survivors: false };

export function hasSurvivors({ survivors, unnamed_survivors }: Survivors): boolean {
  return survivors.length > 0 || unnamed_survivors;
}

/** `7, 8`; `7 and a process with unknown PID`. Empty when there are none. */
export function survivorsText({ survivors, unnamed_survivors }: Survivors): string {
  const unnamed = unnamed_survivors ? ['a process with unknown PID'] : [];
  const named = survivors.length > 0 ? [survivors.join(', ')] : [];
  return [...named, ...unnamed].join(' and ');
}

/** Lists, on the machine and as root, what still holds the output of runs whose pids are not known. */
export const FIND_HOLDERS = 'lsof -nP +L1 | grep leash-';
