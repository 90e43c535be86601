/** What the timeline shows: what the link says, and during a drag where the drag has got to. */
import { useComputed, useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { query, setFilter } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import { nextZoom, panned, periodOf, queryOf, readView, type View, type Zoom, zoomed } from './view.ts';

export type ViewControl = ReturnType<typeof useView>;

export function useView() {
  const dragged = useSignal<View | null>(null);
  const settled = useComputed(() => readView(query.value, now.value));
  const view = useComputed(() => dragged.value ?? settled.value);
  const settledPeriod = useComputed(() => periodOf(settled.value, now.value));
  const period = useComputed(() => periodOf(view.value, now.value));
  return useMemo(() => {
    const show = (next: View) => {
      dragged.value = null;
      setFilter(queryOf(next));
    };
    const zoomTo = (zoom: Zoom, around: number | null) => show(zoomed(view.peek(), zoom, around, now.peek()));
    return {
      /** What is drawn at this moment. */
      view,
      period,
      /** The same without a drag that isn't over: lanes come and go at its end, not during it. */
      settled,
      settledPeriod,
      show,
      zoomTo,
      /** Zooms in (1) or out (-1) by a step. */
      zoom: (direction: 1 | -1, around: number | null) => {
        const zoom = nextZoom(view.peek().zoom, direction);
        if (zoom !== view.peek().zoom) zoomTo(zoom, around);
      },
      drag: (byMs: number) => {
        dragged.value = panned(view.peek(), byMs, now.peek());
      },
      /** Ends a drag: the link follows. */
      settle: () => {
        const last = dragged.peek();
        if (last !== null) show(last);
      },
    };
  }, []);
}
