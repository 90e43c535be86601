/** Runs that were picked to be killed together. One that ends leaves by itself. */
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import type { Run, Session } from '#protocol/api';
import { mayKill } from './rights.ts';
import { type RunRef, refOf } from './run-ref.ts';
import type { Runs } from './store.ts';

export interface Selection {
  readonly runs: readonly Run[];
  has(run: Run): boolean;
  /** Whether a run can be picked at all. */
  mayPick(run: Run): boolean;
  /** Picks all of them, or, if they are all picked, none. */
  toggle(runs: readonly Run[]): void;
  clear(): void;
}

/** @param openRuns those that can still be killed, among which is picked */
export function useSelection(who: Session, openRuns: ReadonlySignal<Runs>): Selection {
  const picked = useSignal<ReadonlySet<RunRef>>(new Set());
  const runs = useComputed(() => [...picked.value].flatMap((ref) => openRuns.value.get(ref) ?? [])).value;
  const mayPick = (run: Run) => mayKill(who, run.job);
  return {
    runs,
    has: (run) => picked.value.has(refOf(run)),
    mayPick,
    toggle: (asked) => {
      const allowed = asked.filter(mayPick);
      const next = new Set(runs.map(refOf));
      const refs = allowed.map(refOf);
      const isAll = refs.every((ref) => next.has(ref));
      for (const ref of refs) {
        if (isAll) next.delete(ref);
        else next.add(ref);
      }
      picked.value = next;
    },
    clear: () => {
      picked.value = new Set();
    },
  };
}
