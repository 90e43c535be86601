/** Draws only the rows of a long list that are in view or near it. The window scrolls, as on any page. */
import {
  observeWindowOffset,
  observeWindowRect,
  type VirtualItem,
  Virtualizer,
  type VirtualizerOptions,
  windowScroll,
} from '@tanstack/virtual-core';
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef } from 'preact/hooks';
import { isCompact } from '../components/density.tsx';

const USUAL_OVERSCAN = 8;
/** The height of a compact row, as a share of the usual one. */
const COMPACT_SHARE = 0.6;

interface VirtualRowsOptions {
  readonly count: number;
  /** Identifies a row while rows come, go and move. */
  keyOf(index: number): string;
  /** How high a row will be; measured once it is drawn. */
  estimatePx(index: number): number;
  /** The element that the rows are in: they are placed within it, and it gets `totalPx` as its height. */
  readonly list: RefObject<HTMLElement | null>;
  /** Rows beyond the edges of the view that are drawn already; fewer where rows are high and full. */
  readonly overscan?: number;
  /** The height of what is sticky at the top of the view and covers rows. */
  readonly hiddenTopPx?: number;
}

export interface VirtualRows {
  readonly rows: readonly VirtualItem[];
  readonly totalPx: number;
  /** How far from the top of the list a row begins. */
  topPx(row: VirtualItem): number;
  /** How far down the page a row begins, as far as the heights of those above it are known. */
  startPx(index: number): number | null;
  /** For each row's element, which has to carry its index as `data-index`. */
  measure(element: HTMLElement | null): void;
  /** Brings a row into view, if it isn't, and draws it. */
  reveal(index: number): void;
}

export function useVirtualRows({
  count,
  keyOf,
  estimatePx,
  list,
  overscan = USUAL_OVERSCAN,
  hiddenTopPx = 0,
}: VirtualRowsOptions): VirtualRows {
  const [, redraw] = useReducer((times: number, _: undefined) => times + 1, 0);
  const marginPx = useRef(0);
  const isTight = isCompact.value;
  const options: VirtualizerOptions<Window, HTMLElement> = {
    count,
    getScrollElement: () => window,
    estimateSize: isTight ? (index) => COMPACT_SHARE * estimatePx(index) : estimatePx,
    getItemKey: keyOf,
    overscan,
    scrollMargin: marginPx.current,
    scrollPaddingStart: hiddenTopPx,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    initialOffset: () => scrollY,
    onChange: () => redraw(undefined),
  };
  const virtualizer = useRef<Virtualizer<Window, HTMLElement> | null>(null);
  virtualizer.current ??= new Virtualizer(options);
  const current = virtualizer.current;
  current.setOptions(options);

  const wasTight = useRef(isTight);
  useLayoutEffect(() => {
    // What was measured is of other rows now.
    if (wasTight.current !== isTight) current.measure();
    wasTight.current = isTight;
  }, [current, isTight]);
  useEffect(() => current._didMount(), [current]);
  useLayoutEffect(() => current._willUpdate());
  // Anything above the list may change its height in any render.
  useLayoutEffect(() => {
    const top = list.current === null ? 0 : Math.round(list.current.getBoundingClientRect().top + scrollY);
    if (top === marginPx.current) return;
    marginPx.current = top;
    redraw(undefined);
  });

  return {
    rows: current.getVirtualItems(),
    totalPx: current.getTotalSize(),
    topPx: (row) => row.start - marginPx.current,
    startPx: (index) => current.measurementsCache[index]?.start ?? null,
    measure: (element) => current.measureElement(element),
    reveal: (index) => current.scrollToIndex(index, { align: 'auto' }),
  };
}
