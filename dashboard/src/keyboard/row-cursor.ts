/** The cursor of lists of which only the rows in view are drawn; of several lists on a page, one after the other. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useListCursor } from './list-cursor.ts';

interface RowCursorOptions {
  /** What the rows that the cursor stops at are known by, in their order. Their elements carry it as `data-row-key`. */
  readonly keys: readonly string[];
  /** What all the rows are in. */
  readonly within: RefObject<HTMLElement | null>;
  /** Brings a row into view and has it drawn. */
  reveal(key: string): void;
}

export interface RowCursor {
  /** The row that has the focus, or had it last: rows come and go above it. */
  current(): string | null;
}

export function useRowCursor({ keys, within, reveal }: RowCursorOptions): RowCursor {
  const at = useRef<string | null>(null);
  const wanted = useRef<string | null>(null);

  const current = () => {
    // A held key is faster than the drawing.
    if (wanted.current !== null && keys.includes(wanted.current)) return wanted.current;
    const focused = within.current?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>('[data-row-key]')
      : null;
    return focused?.dataset.rowKey ?? at.current;
  };
  const focusWanted = () => {
    if (wanted.current === null) return;
    const target = within.current?.querySelector<HTMLElement>(
      `[data-row-key="${CSS.escape(wanted.current)}"] [data-cursor]`,
    );
    if (target === null || target === undefined) return;
    wanted.current = null;
    target.focus({ preventScroll: true });
  };
  // A row that is out of view is drawn first, and gets the focus then.
  useLayoutEffect(focusWanted);
  useListCursor({
    count: keys.length,
    current: () => {
      const key = current();
      return key === null ? -1 : keys.indexOf(key);
    },
    focus: (place) => {
      const key = keys[place];
      if (key === undefined) return;
      at.current = key;
      wanted.current = key;
      reveal(key);
      focusWanted();
    },
    item: 'row',
  });
  return { current };
}
