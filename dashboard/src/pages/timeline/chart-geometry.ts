/** Where the chart's bars are. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Lane } from './lanes.ts';
import { type Bar, keyOf, layOut } from './layout.ts';
import type { ViewControl } from './use-view.ts';
import { ZOOMS } from './view.ts';

/** Live, the chart ends a little after now: running bars would touch the edge otherwise. */
const AFTER_NOW_PX = 12;

/** A bar by its key, in a lane by its name. */
export interface BarRef {
  readonly lane: string;
  readonly bar: string;
}

export type ChartGeometry = ReturnType<typeof useChartGeometry>;

export function useChartGeometry({ view, period }: ViewControl, lanes: readonly Lane[]) {
  const chart = useRef<HTMLElement | null>(null);
  const plot = useRef<HTMLDivElement | null>(null);
  const widthPx = useWidth(plot) - AFTER_NOW_PX;
  const msPerPx = ZOOMS[view.value.zoom].ms / Math.max(1, widthPx);
  const barsOf = useLayouts(msPerPx);
  const laneNamed = (name: string) => lanes.find((lane) => lane.name === name);
  return {
    chart,
    /** The axis' plot: at the same distance from the left, and as wide, as each lane's. */
    plot,
    /** Zero or less until it is measured. */
    widthPx,
    msPerPx,
    lanes,
    laneNamed,
    barsOf,
    barAt: (ref: BarRef): Bar | null => {
      const lane = laneNamed(ref.lane);
      return (lane && barsOf(lane).find((bar) => keyOf(bar) === ref.bar)) ?? null;
    },
    /** Null while it isn't drawn. */
    elementAt: ({ lane, bar }: BarRef): HTMLElement | null =>
      chart.current?.querySelector<HTMLElement>(`[data-lane="${CSS.escape(lane)}"] [data-bar="${CSS.escape(bar)}"]`) ??
      null,
    /** @param clientX from the left edge of the window */
    msAt: (clientX: number) =>
      period.peek().from + (clientX - (plot.current?.getBoundingClientRect().left ?? 0)) * msPerPx,
  };
}

/** The bar that an event came from. */
export function barRefOf(target: EventTarget | null): BarRef | null {
  if (!(target instanceof Element)) return null;
  const bar = target.closest<HTMLElement>('[data-bar]')?.dataset.bar;
  const lane = target.closest<HTMLElement>('[data-lane]')?.dataset.lane;
  return bar === undefined || lane === undefined ? null : { lane, bar };
}

/** Cached as long as lane and scale stay the same. */
function useLayouts(msPerPx: number): (lane: Lane) => readonly Bar[] {
  const cache = useRef(new WeakMap<Lane, { readonly msPerPx: number; readonly bars: readonly Bar[] }>());
  return (lane) => {
    const known = cache.current.get(lane);
    if (known?.msPerPx === msPerPx) return known.bars;
    const bars = layOut(lane, msPerPx);
    cache.current.set(lane, { msPerPx, bars });
    return bars;
  };
}

function useWidth(element: RefObject<HTMLElement | null>): number {
  const [widthPx, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    setWidth(current.clientWidth);
    return () => observer.disconnect();
  }, []);
  return widthPx;
}
