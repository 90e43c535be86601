/** Where the chart's marks are: for whatever points at one, or looks for one. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Lane } from './lane-index.ts';
import { keyOf, type LaneLayout, layOut, type Mark } from './lane-layout.ts';
import type { TimelineState } from './timeline-state.ts';
import { SPAN_MS } from './view.ts';

/** Live, the chart ends a little after now: what runs would touch the edge otherwise. */
const AFTER_NOW_PX = 12;

/** A mark by its key, in a lane by its name. */
export interface MarkPlace {
  readonly lane: string;
  readonly mark: string;
}

export interface ChartGeometry {
  readonly chart: RefObject<HTMLElement | null>;
  /** Where the times are written: as far from the left, and as wide, as each lane's own. */
  readonly plot: RefObject<HTMLDivElement | null>;
  /** Zero until it is measured. */
  readonly widthPx: number;
  readonly msPerPx: number;
  /** In the order in which they are shown. */
  readonly lanes: readonly Lane[];
  laneNamed(name: string): Lane | undefined;
  layoutOf(lane: Lane): LaneLayout;
  markAtPlace(place: MarkPlace): Mark | null;
  /** Null while it isn't drawn. */
  elementAtPlace(place: MarkPlace): HTMLElement | null;
  /** @param clientX from the left edge of the window */
  msAt(clientX: number): number;
}

export function useChartGeometry(state: TimelineState, lanes: readonly Lane[]): ChartGeometry {
  const chart = useRef<HTMLElement | null>(null);
  const plot = useRef<HTMLDivElement | null>(null);
  const widthPx = useWidth(plot) - AFTER_NOW_PX;
  const msPerPx = SPAN_MS[state.view.value.span] / Math.max(1, widthPx);
  const layoutOf = useLayouts(msPerPx);
  const laneNamed = (name: string) => lanes.find((lane) => lane.name === name);
  return {
    chart,
    plot,
    widthPx,
    msPerPx,
    lanes,
    laneNamed,
    layoutOf,
    markAtPlace: (place) => {
      const lane = laneNamed(place.lane);
      return (lane && layoutOf(lane).marks.find((mark) => keyOf(mark) === place.mark)) ?? null;
    },
    elementAtPlace: ({ lane, mark }) =>
      chart.current?.querySelector<HTMLElement>(
        `[data-lane="${CSS.escape(lane)}"] [data-mark="${CSS.escape(mark)}"]`,
      ) ?? null,
    msAt: (clientX) => {
      const left = plot.current?.getBoundingClientRect().left ?? 0;
      return state.period.peek().from + (clientX - left) * msPerPx;
    },
  };
}

/** The place of the mark that an event came from. */
export function placeOf(target: EventTarget | null): MarkPlace | null {
  if (!(target instanceof Element)) return null;
  const mark = target.closest<HTMLElement>('[data-mark]')?.dataset.mark;
  const lane = target.closest<HTMLElement>('[data-lane]')?.dataset.lane;
  return mark === undefined || lane === undefined ? null : { lane, mark };
}

/** Kept for each lane as long as it and the scale are the same. */
function useLayouts(msPerPx: number): (lane: Lane) => LaneLayout {
  const kept = useRef(new WeakMap<Lane, { readonly msPerPx: number; readonly layout: LaneLayout }>());
  return (lane) => {
    const known = kept.current.get(lane);
    if (known?.msPerPx === msPerPx) return known.layout;
    const layout = layOut(lane, msPerPx);
    kept.current.set(lane, { msPerPx, layout });
    return layout;
  };
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
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
