/** Where the chart's bars are. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Lane } from './lanes.ts';
import { type Bar, keyOf, layOut } from './layout.ts';
import type { ViewControl } from './use-view.ts';
import { ZOOM_MS } from './view.ts';

/** Live, the chart ends a little after now: running bars would touch the edge otherwise. */
const AFTER_NOW_PX = 12;

/** A bar by its key, in a lane by its name. */
export interface BarRef {
  readonly lane: string;
  readonly bar: string;
}

export interface ChartGeometry {
  readonly chart: RefObject<HTMLElement | null>;
  /** The axis' plot: at the same distance from the left, and as wide, as each lane's. */
  readonly plot: RefObject<HTMLDivElement | null>;
  /** Zero or less until it is measured. */
  readonly widthPx: number;
  readonly msPerPx: number;
  /** In the order in which they are shown. */
  readonly lanes: readonly Lane[];
  laneNamed(name: string): Lane | undefined;
  barsOf(lane: Lane): readonly Bar[];
  barAt(ref: BarRef): Bar | null;
  /** Null while it isn't drawn. */
  elementAt(ref: BarRef): HTMLElement | null;
  /** @param clientX from the left edge of the window */
  msAt(clientX: number): number;
}

export function useChartGeometry({ view, period }: ViewControl, lanes: readonly Lane[]): ChartGeometry {
  const chart = useRef<HTMLElement | null>(null);
  const plot = useRef<HTMLDivElement | null>(null);
  const widthPx = useWidth(plot) - AFTER_NOW_PX;
  const msPerPx = ZOOM_MS[view.value.zoom] / Math.max(1, widthPx);
  const barsOf = useLayouts(msPerPx);
  const laneNamed = (name: string) => lanes.find((lane) => lane.name === name);
  return {
    chart,
    plot,
    widthPx,
    msPerPx,
    lanes,
    laneNamed,
    barsOf,
    barAt: (ref) => {
      const lane = laneNamed(ref.lane);
      return (lane && barsOf(lane).find((bar) => keyOf(bar) === ref.bar)) ?? null;
    },
    elementAt: ({ lane, bar }) =>
      chart.current?.querySelector<HTMLElement>(`[data-lane="${CSS.escape(lane)}"] [data-bar="${CSS.escape(bar)}"]`) ??
      null,
    msAt: (clientX) => period.peek().from + (clientX - (plot.current?.getBoundingClientRect().left ?? 0)) * msPerPx,
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
