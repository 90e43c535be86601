/** The runs of a job that have not ended for good, folded at first when they are many. */
import type { ReadonlySignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { Run } from '#protocol/api';
import { useKeptSet } from '../../hooks/kept-set.ts';
import type { Runs } from '../../state/store.ts';
import type { JobFollower } from './follow-job.ts';

/** More runs than this are folded at first: the history would be far below them. */
const FOLDED_FROM = 20;
export const SHOWN_FOLDED = 10;
const FOLD = 'now';

export interface OpenRuns {
  readonly byRef: ReadonlySignal<Runs>;
  readonly all: readonly Run[];
  readonly shown: readonly Run[];
  readonly isFoldable: boolean;
  readonly isFolded: boolean;
  toggleFold(): void;
}

export function useOpenRuns(follower: JobFollower): OpenRuns {
  const byRef = follower.open;
  const all = useMemo(() => inOrder([...byRef.value.values()]), [byRef.value]);
  const opened = useKeptSet('opened');
  const isFoldable = all.length > FOLDED_FROM;
  const isFolded = isFoldable && !opened.value.has(FOLD);
  const shown = useMemo(() => (isFolded ? all.slice(0, SHOWN_FOLDED) : all), [all, isFolded]);
  return {
    byRef,
    all,
    shown,
    isFoldable,
    isFolded,
    toggleFold: () => {
      opened.value = new Set(isFolded ? [FOLD] : []);
    },
  };
}

/** Disconnected runs first, then by machine. */
function inOrder(runs: Run[]): Run[] {
  return runs.sort((a, b) => {
    if (a.connected !== b.connected) return a.connected ? 1 : -1;
    if (a.machine !== b.machine) return a.machine < b.machine ? -1 : 1;
    return a.id < b.id ? -1 : 1;
  });
}
