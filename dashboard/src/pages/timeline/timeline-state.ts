/** What the timeline shows, by the link; while it is being moved, by the hand that moves it. */
import { type ReadonlySignal, useComputed, useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { narrow, query } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import { linkOf, nextSpan, type Period, panned, periodOf, readView, type Span, type View, zoomed } from './view.ts';

export interface TimelineState {
  /** As it is to be drawn at this moment. */
  readonly view: ReadonlySignal<View>;
  readonly period: ReadonlySignal<Period>;
  /** The one before a movement that is under way: lanes come and go when it is over, not under the hand. */
  readonly settled: ReadonlySignal<View>;
  readonly settledPeriod: ReadonlySignal<Period>;
  show(view: View): void;
  zoomTo(span: Span, around: number | null): void;
  /** Zooms in (1) or out (-1) by a step. */
  zoom(direction: 1 | -1, around: number | null): void;
  /** Moves it, for now. */
  drag(byMs: number): void;
  /** The movement is over. */
  settle(): void;
}

export function useTimelineState(): TimelineState {
  const moving = useSignal<View | null>(null);
  const settled = useComputed(() => readView(query.value, now.value));
  const view = useComputed(() => moving.value ?? settled.value);
  const settledPeriod = useComputed(() => periodOf(settled.value, now.value));
  const period = useComputed(() => periodOf(view.value, now.value));
  return useMemo(() => {
    const show = (next: View) => {
      moving.value = null;
      narrow(linkOf(next));
    };
    const zoomTo = (span: Span, around: number | null) => show(zoomed(view.peek(), span, around, now.peek()));
    return {
      view,
      period,
      settled,
      settledPeriod,
      show,
      zoomTo,
      zoom: (direction, around) => {
        const span = nextSpan(view.peek().span, direction);
        if (span !== view.peek().span) zoomTo(span, around);
      },
      drag: (byMs) => {
        moving.value = panned(view.peek(), byMs, now.peek());
      },
      settle: () => {
        const moved = moving.peek();
        if (moved !== null) show(moved);
      },
    };
  }, []);
}
