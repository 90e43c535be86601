/** Which bar has the focus, and which is to get it: bars come, go and merge, and the focus stays where it was. */
import { useSignal } from '@preact/signals';
import type { TargetedFocusEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TipControl } from './bar-tip.tsx';
import { type BarRef, barRefOf, type ChartGeometry } from './chart-geometry.ts';
import type { DrawQueue } from './draw-queue.ts';
import type { Drawing } from './lane-bars.tsx';
import { barNear, keyOf } from './layout.ts';
import type { ViewControl } from './use-view.ts';
import { overlaps } from './view.ts';

/** A bar, or the one nearest to a time. */
export interface FocusTarget {
  readonly lane: string;
  readonly bar: string | null;
  readonly ms: number;
}

export type BarFocus = ReturnType<typeof useBarFocus>;

export function useBarFocus(
  { view, settledPeriod }: ViewControl,
  { laneNamed, barsOf, barAt, elementAt }: ChartGeometry,
  queue: DrawQueue<Drawing>,
  tip: TipControl,
) {
  const cursor = useSignal<FocusTarget | null>(null);
  const wanted = useSignal<FocusTarget | null>(null);
  const element = useRef<HTMLElement | null>(null);
  const focused = () => (element.current?.isConnected === true ? cursor.peek() : null);

  /** Null where nothing of its lane is in view. */
  const resolve = ({ lane: name, bar, ms }: FocusTarget): BarRef | null => {
    const lane = laneNamed(name);
    const seen = lane === undefined ? [] : barsOf(lane).filter((each) => overlaps(each, settledPeriod.peek()));
    const found = seen.find((each) => keyOf(each) === bar) ?? barNear(seen, ms);
    return found === null ? null : { lane: name, bar: keyOf(found) };
  };
  const afterDraw = () => {
    // What had the focus has become part of another bar.
    if (element.current?.isConnected === false && document.activeElement === document.body) {
      element.current = null;
      wanted.value ??= cursor.peek();
    }
    const ref = wanted.value === null || !queue.isIdle ? null : resolve(wanted.value);
    const found = ref === null ? null : elementAt(ref);
    if (ref === null || found === null) return;
    wanted.value = null;
    found.focus({ preventScroll: true });
    tip.show(ref);
  };
  useLayoutEffect(() => {
    // At another zoom the tip is elsewhere.
    wanted.value ??= focused();
  }, [view.value.zoom]);
  useLayoutEffect(() => {
    queue.onDrawn = afterDraw;
    // After the lanes, which add to it.
    queue.start();
  });
  // Subscribes: what is wanted is looked for after the next render.
  wanted.value;

  return {
    /** What has the focus, or had it last. */
    cursor,
    /** What has the focus now. */
    focused,
    /** Gives it the focus as soon as it is drawn. */
    moveTo: (target: FocusTarget) => {
      wanted.value = target;
    },
    onFocusIn: ({ target }: TargetedFocusEvent<HTMLElement>) => {
      const ref = barRefOf(target);
      const bar = ref === null ? null : barAt(ref);
      if (ref === null || bar === null || !(target instanceof HTMLElement)) return;
      element.current = target;
      cursor.value = { ...ref, ms: bar.from };
      if (target.matches(':focus-visible')) tip.show(ref);
    },
    onFocusOut: ({ target }: TargetedFocusEvent<HTMLElement>) => {
      tip.hideSoon();
      // A bar that is removed loses the focus before it is disconnected.
      queueMicrotask(() => {
        if (target instanceof HTMLElement && target.isConnected && element.current === target) element.current = null;
      });
    },
  };
}
