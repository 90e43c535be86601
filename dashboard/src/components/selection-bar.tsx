import './selection-bar.css';
import type { Run } from '#protocol/api';
import { countText } from '../format/quantity.ts';
import { useShortcuts } from '../keyboard/shortcuts.ts';
import type { KillScope } from '../state/pending-kills.ts';
import type { Selection } from '../state/selection.ts';
import { BrakeButton } from './brake-button.tsx';
import { Docked } from './dock.tsx';

interface SelectionBarProps {
  readonly selection: Selection;
  /** The runs in sight, whether they can be picked or not. */
  readonly shown: readonly Run[];
  ask(scope: KillScope): void;
}

/** What is picked, and what can be done with it. Over the list, so that nothing moves when it comes. */
export function SelectionBar({ selection, shown, ask }: SelectionBarProps) {
  const { runs } = selection;
  useShortcuts([{ key: 'A', does: 'Select all / none', run: () => selection.toggle(shown) }]);
  if (runs.length === 0) return null;
  const inSight = new Set(shown.map(({ id }) => id));
  const hidden = runs.filter(({ id }) => !inSight.has(id)).length;
  return (
    <Docked>
      <section class="selection-bar" aria-label="Selection">
        <p role="status">
          <strong>{countText(runs.length, 'run')} selected</strong>
          {hidden > 0 && <> ({hidden} not shown)</>}
        </p>
        <button type="button" class="button danger" onClick={() => ask({ kind: 'runs', runs })}>
          Kill {countText(runs.length, 'run')}…
        </button>
        <BrakeButton jobs={[...new Set(runs.map(({ job }) => job))]} />
        <button type="button" class="button" onClick={selection.clear}>
          Clear
        </button>
      </section>
    </Docked>
  );
}
