import type { Run } from '#protocol/api';
import type { KillScope } from '../state/pending-kills.ts';
import type { Selection } from '../state/selection.ts';
import { useShortcuts } from './shortcuts.ts';

interface PickAndKill {
  readonly selection: Selection;
  /** The runs of the row that the cursor is on. */
  runsHere(): readonly Run[];
  /** What `x` picks there. */
  readonly picks: string;
  /** Asks before a kill. */
  ask(scope: KillScope): void;
}

/** `x` picks what the cursor is on, `K` asks to kill what is picked, or else what the cursor is on. */
export function usePickAndKill({ selection, runsHere, picks, ask }: PickAndKill): void {
  useShortcuts([
    { key: 'x', does: `Select ${picks}`, run: () => selection.toggle(runsHere()) },
    {
      key: 'K',
      does: 'Kill selection or focused run',
      run: () => {
        const runs = selection.runs.length > 0 ? selection.runs : runsHere().filter(selection.mayPick);
        if (runs.length > 0) ask({ kind: 'runs', runs });
      },
    },
  ]);
}
