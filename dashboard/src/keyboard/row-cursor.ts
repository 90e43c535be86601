/** The cursor of lists of which only the rows in view are drawn; of several lists on a page, one after the other. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useFocusFallback } from './focus-fallback.ts';
import { useListCursor } from './list-cursor.ts';

interface RowCursorOptions {
  /** The keys of the rows that the cursor stops at, in their order. Their elements carry it as `data-row-key`. */
  readonly keys: readonly string[];
  /** What all the rows are in. */
  readonly within: RefObject<HTMLElement | null>;
  /** Brings a row into view and has it drawn. */
  reveal(key: string): void;
}

export interface RowCursor {
  /** The row that has the focus, or is about to get it; null when nothing is marked: then keys act on nothing. */
  marked(): string | null;
}

export function useRowCursor({ keys, within, reveal }: RowCursorOptions): RowCursor {
  /** The row that had the focus last, and where it was: from there one moves on, also when it is gone. */
  const last = useRef<string | null>(null);
  const lastPlace = useRef(-1);
  const drawnKeys = useRef(keys);
  const wanted = useRef<string | null>(null);

  const focused = () => {
    const focus = document.activeElement;
    if (within.current?.contains(focus) !== true) return null;
    return focus?.closest<HTMLElement>('[data-row-key]')?.dataset.rowKey ?? null;
  };
  const marked = () => {
    // A held key is faster than the drawing.
    if (wanted.current !== null && keys.includes(wanted.current)) return wanted.current;
    return focused();
  };
  const focusWanted = () => {
    if (wanted.current === null) return;
    // What goes before it is drawn must not draw the focus to itself when it comes back.
    if (!keys.includes(wanted.current)) wanted.current = null;
    const target = within.current?.querySelector<HTMLElement>(
      `[data-row-key="${CSS.escape(wanted.current ?? '')}"] [data-cursor]`,
    );
    if (target === null || target === undefined) return;
    wanted.current = null;
    target.focus({ preventScroll: true });
  };

  // During a render, a row that is about to go is still in the document.
  last.current = focused() ?? last.current;
  if (last.current !== null) {
    const isThere = keys.includes(last.current);
    const place = (isThere ? keys : drawnKeys.current).indexOf(last.current);
    if (place !== -1) lastPlace.current = place;
  }
  drawnKeys.current = keys;
  // A row that is out of view is drawn first, and gets the focus then.
  useLayoutEffect(focusWanted);
  // To no other row: a key that is on its way to the one that has gone must not act on its neighbour.
  useFocusFallback(within);
  useListCursor({
    count: keys.length,
    current: () => {
      const key = marked() ?? last.current;
      const place = key === null ? -1 : keys.indexOf(key);
      if (place !== -1 || key === null) return place;
      return betweenRows(lastPlace.current);
    },
    focus: (place) => {
      const key = keys[place];
      if (key === undefined) return;
      last.current = key;
      wanted.current = key;
      reveal(key);
      focusWanted();
    },
    item: 'row',
  });
  return { marked };
}

/** Where a row was that is gone: the one after it has its place now. */
function betweenRows(place: number): number {
  return place - 0.5;
}
