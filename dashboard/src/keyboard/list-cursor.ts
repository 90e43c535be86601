/**
 * Moving through a list by `j` and `k`, and doing something to what the cursor is on. The cursor is the focus: what a
 * screen reader reads and what is marked on the screen are one.
 */
import { useShortcuts } from './shortcuts.ts';

interface ListCursor {
  /** How many items there are. */
  readonly count: number;
  /** The one that has the focus, or had it last; -1 for none, and a half between two where one was that is gone. */
  current(): number;
  /** Brings an item into view and gives it the focus. */
  focus(index: number): void;
  /** What one item is called: `run`, `kill`. */
  readonly item: string;
}

export function useListCursor({ count, current, focus, item }: ListCursor): void {
  const move = (by: number) => {
    const next = current() + by;
    if (count > 0) focus(Math.min(count - 1, Math.max(0, by > 0 ? Math.floor(next) : Math.ceil(next))));
  };
  useShortcuts([
    { key: 'j', does: `Next ${item}`, run: () => move(1) },
    { key: 'k', does: `Previous ${item}`, run: () => move(-1) },
  ]);
}
