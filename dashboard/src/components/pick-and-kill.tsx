/** What a row of a list offers to do with its runs: to pick them, and to kill them. */
import type { ComponentChildren } from 'preact';
import type { Run } from '#protocol/api';
import type { KillScope } from '../state/pending-kills.ts';
import { isKillable } from '../state/rights.ts';
import type { Selection } from '../state/selection.ts';

interface PickProps {
  readonly runs: readonly Run[];
  readonly selection: Selection;
  readonly label: string;
}

interface KillButtonProps extends PickProps {
  ask(scope: KillScope): void;
}

export function Picker({ runs, selection, label }: PickProps) {
  if (!runs.some(selection.mayPick)) return <Unpickable />;
  const picked = runs.filter(selection.has).length;
  return (
    <label class="pick">
      <input
        type="checkbox"
        aria-label={label}
        checked={picked === runs.length}
        indeterminate={picked > 0 && picked < runs.length}
        onChange={() => selection.toggle(runs)}
      />
    </label>
  );
}

/** Keeps the columns. */
export function Unpickable(): ComponentChildren {
  return <span class="pick" />;
}

/** For runs of which all are being killed already: to force them. */
export function KillButton({ runs, selection, ask, label }: KillButtonProps) {
  const killable = runs.filter((run) => isKillable(run) && selection.mayPick(run));
  const untouched = killable.filter(({ state }) => state !== 'killing');
  const isForce = untouched.length === 0;
  if (killable.length === 0) return null;
  return (
    <button
      type="button"
      class="button kill-quiet"
      aria-label={isForce ? `Force: ${label}` : label}
      onClick={() => ask({ kind: 'runs', runs: isForce ? killable : untouched })}
    >
      {isForce ? 'Force' : 'Kill'}
    </button>
  );
}
