import './rows.css';
import type { ComponentChildren, RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import { useScrollRestoration } from '../hooks/scroll-restoration.ts';
import { useVirtualRows, type VirtualRows } from '../hooks/virtual-rows.ts';
import { useRowCursor } from '../keyboard/row-cursor.ts';
import type { Lister } from '../state/listing.ts';

interface RowsProps<Item> {
  readonly items: readonly Item[];
  keyOf(item: Item): string;
  readonly estimatePx: number;
  readonly label: string;
  /** Draws one; what takes the focus carries `data-cursor`. */
  readonly children: (item: Item) => ComponentChildren;
}

/** A list of any length: only what is in view is drawn, and `j` and `k` go through all of it. */
export function Rows<Item>({ items, keyOf, estimatePx, label, children }: RowsProps<Item>) {
  const list = useRef<HTMLUListElement | null>(null);
  const keys = items.map(keyOf);
  const virtual = useVirtualRows({
    count: items.length,
    keyOf: (index) => keys[index] ?? '',
    estimatePx: () => estimatePx,
    list,
  });
  useScrollRestoration({
    keys,
    within: list,
    startPx: (key) => virtual.startPx(keys.indexOf(key)),
    isComplete: true,
  });
  useRowCursor({ keys, within: list, reveal: (key) => virtual.reveal(keys.indexOf(key)) });
  return (
    <RowList list={list} virtual={virtual} label={label} keys={keys}>
      {(index) => {
        const shown = items[index];
        return shown === undefined ? null : children(shown);
      }}
    </RowList>
  );
}

interface RowListProps {
  readonly list: RefObject<HTMLUListElement | null>;
  readonly virtual: VirtualRows;
  readonly label: string;
  /** One for each row, as `data-row-key`. */
  readonly keys: readonly string[];
  /** Whether a row is a heading, which interrupts the frame around the others. */
  isHeading?(index: number): boolean;
  readonly children: (index: number) => ComponentChildren;
}

/** The rows in view, in the list's element. */
export function RowList({ list, virtual, label, keys, isHeading = () => false, children }: RowListProps) {
  const isEdge = (index: number) => keys[index] === undefined || isHeading(index);
  return (
    <ul ref={list} tabIndex={-1} class="rows" aria-label={label} style={{ height: `${virtual.totalPx}px` }}>
      {virtual.rows
        .filter(({ index }) => keys[index] !== undefined)
        .map((row) => (
          <li
            key={row.key}
            ref={virtual.measure}
            data-index={row.index}
            data-row-key={keys[row.index]}
            class={`${isEdge(row.index - 1) ? 'first' : ''} ${isEdge(row.index + 1) ? 'last' : ''}`}
            aria-setsize={keys.length}
            aria-posinset={row.index + 1}
            style={{ transform: `translateY(${virtual.topPx(row)}px)` }}
          >
            {children(row.index)}
          </li>
        ))}
    </ul>
  );
}

/** Reads a list on, where there is more of it. */
export function MoreButton<Item>({ lister }: { readonly lister: Lister<Item> }) {
  const { isBusy } = lister.state.value;
  return (
    <button type="button" class="button more" aria-disabled={isBusy} onClick={() => void lister.more()}>
      {isBusy ? 'Loading…' : 'Load older'}
    </button>
  );
}
