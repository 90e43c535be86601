import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { Docked } from '../../parts/dock.tsx';
import { countText } from '../../parts/quantity.ts';
import type { KillScope } from '../../state/kill-orders.ts';
import { type Row, runsOf } from './rows.ts';
import type { Selection } from './selection.ts';

interface SelectionBarProps {
  readonly selection: Selection;
  readonly rows: readonly Row[];
  ask(scope: KillScope): void;
}

/** What is picked, and what can be done with it. Over the list, so that nothing moves when it comes. */
export function SelectionBar({ selection, rows, ask }: SelectionBarProps) {
  const { runs } = selection;
  useShortcuts([
    { key: 'A', does: 'Select all runs shown, or none', run: () => selection.toggle(rows.flatMap(runsOf)) },
  ]);
  if (runs.length === 0) return null;
  const shown = new Set(rows.flatMap(runsOf).map(({ id }) => id));
  const hidden = runs.filter(({ id }) => !shown.has(id)).length;
  return (
    <Docked>
      <section class="selection-bar" aria-label="Selection">
        <p role="status">
          <strong>{countText(runs.length, 'run')} selected</strong>
          {hidden > 0 && <>, {hidden} of them not shown here</>}
        </p>
        <button type="button" class="button danger" onClick={() => ask({ kind: 'runs', runs })}>
          Kill {countText(runs.length, 'run')}…
        </button>
        <button type="button" class="button" onClick={selection.clear}>
          Clear
        </button>
      </section>
    </Docked>
  );
}
