/** Which mark has the focus, and which is to get it: marks come, go and merge, and the focus stays in its place. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { TargetedFocusEvent } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { type ChartGeometry, placeOf } from './chart-geometry.ts';
import type { DrawQueue } from './draw-queue.ts';
import { keyOf, markNear, marksWithin } from './lane-layout.ts';
import type { TimelineState } from './timeline-state.ts';
import type { MarkTipControl } from './use-mark-tip.ts';

/** A mark, or the one nearest to a time. */
export interface FocusTarget {
  readonly lane: string;
  readonly mark: string | null;
  readonly ms: number;
}

export interface MarkFocus {
  /** What has the focus, or had it last. */
  readonly cursor: ReadonlySignal<FocusTarget | null>;
  /** What has the focus now. */
  focused(): FocusTarget | null;
  /** Brings its lane into view and gives it the focus, as soon as it is drawn. */
  moveTo(target: FocusTarget): void;
  /** Gives it the focus as soon as it is drawn, wherever that is. */
  moveOnceDrawn(target: FocusTarget): void;
  onFocusIn(event: TargetedFocusEvent<HTMLElement>): void;
  onFocusOut(event: TargetedFocusEvent<HTMLElement>): void;
}

interface MarkFocusOptions {
  readonly state: TimelineState;
  readonly geometry: ChartGeometry;
  readonly queue: DrawQueue;
  readonly tip: MarkTipControl;
  revealLane(index: number): void;
}

export function useMarkFocus({ state, geometry, queue, tip, revealLane }: MarkFocusOptions): MarkFocus {
  const cursor = useSignal<FocusTarget | null>(null);
  const wanted = useRef<FocusTarget | null>(null);
  const focused = useRef<HTMLElement | null>(null);

  const focusWanted = () => {
    if (wanted.current === null) return;
    const found = findDrawn(wanted.current, geometry, state);
    if (found === null) return;
    wanted.current = null;
    found.element.focus({ preventScroll: true });
    tip.show(found.place);
  };
  useLayoutEffect(() => {
    // What had the focus has become part of another mark.
    if (focused.current !== null && !focused.current.isConnected && document.activeElement === document.body) {
      focused.current = null;
      wanted.current ??= cursor.peek();
    }
    // After the lanes, which say what they want drawn.
    queue.onDrawn = focusWanted;
    queue.start();
    focusWanted();
  });

  return {
    cursor,
    focused: () => (focused.current?.isConnected === true ? cursor.peek() : null),
    moveTo: (target) => {
      wanted.current = target;
      revealLane(geometry.lanes.findIndex(({ name }) => name === target.lane));
      focusWanted();
    },
    moveOnceDrawn: (target) => {
      wanted.current = target;
    },
    onFocusIn: ({ target }) => {
      const place = placeOf(target);
      const mark = place === null ? null : geometry.markAtPlace(place);
      if (place === null || mark === null || !(target instanceof HTMLElement)) return;
      focused.current = target;
      cursor.value = { ...place, ms: mark.from };
      if (target.matches(':focus-visible')) tip.show(place);
    },
    onFocusOut: ({ target }) => {
      tip.hideSoon();
      // What is taken away loses the focus as well, and is still there while it does.
      queueMicrotask(() => {
        if (target instanceof HTMLElement && target.isConnected && focused.current === target) focused.current = null;
      });
    },
  };
}

/** Null while it isn't drawn, or when there is nothing of its lane to see. */
function findDrawn(target: FocusTarget, { laneNamed, layoutOf, elementAtPlace }: ChartGeometry, state: TimelineState) {
  const lane = laneNamed(target.lane);
  if (lane === undefined) return null;
  const seen = marksWithin(layoutOf(lane).marks, state.settledPeriod.peek());
  const mark = seen.find((each) => keyOf(each) === target.mark) ?? markNear(seen, target.ms);
  if (mark === null) return null;
  const place = { lane: target.lane, mark: keyOf(mark) };
  const element = elementAtPlace(place);
  return element === null ? null : { place, element };
}
