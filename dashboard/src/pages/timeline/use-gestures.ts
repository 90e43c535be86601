/** Moving and zooming by mouse, trackpad and fingers. */
import type { TargetedPointerEvent, TargetedWheelEvent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** A movement of fewer pixels is a click by a hand that isn't steady. */
const DRAG_PX = 4;
/** Two fingers zoom by a step when their distance has changed by this factor. */
const PINCH_RATIO = 1.5;
/** A wheel zooms by a step after this many pixels. */
const WHEEL_STEP_PX = 60;
/** A wheel reports no end of its movement: it has ended after a rest this long. */
const SETTLE_MS = 150;

type PointerHandler = (event: TargetedPointerEvent<HTMLElement>) => void;
type WheelHandler = (event: TargetedWheelEvent<HTMLElement>) => void;

export interface Gestures {
  /** Pixels to the right are towards the future. */
  pan(byPx: number): void;
  /** Ends the movement. */
  settle(): void;
  /** @param clientX what keeps its position, from the left edge of the window */
  zoom(direction: 1 | -1, clientX: number): void;
}

/** @returns what the chart's element has to listen to; and whether a click ends a movement, and means nothing else */
export function useGestures(gestures: Gestures) {
  const { hasMoved, ...pointer } = usePointers(gestures);
  return { hasMoved, handlers: { ...pointer, onWheel: useWheel(gestures) } };
}

function usePointers({ pan, settle, zoom }: Gestures) {
  /** Where the pointers are that are down. */
  const down = useRef(new Map<number, number>()).current;
  const state = useRef({ isDragging: false, hasMoved: false, spreadPx: 0 }).current;
  const spreadPx = () => {
    const [a = 0, b = a] = down.values();
    return Math.abs(a - b);
  };
  const pinch = () => {
    state.hasMoved = true;
    const ratio = spreadPx() / Math.max(1, state.spreadPx);
    if (ratio < PINCH_RATIO && ratio > 1 / PINCH_RATIO) return;
    state.spreadPx = spreadPx();
    const [a = 0, b = a] = down.values();
    zoom(ratio > 1 ? 1 : -1, (a + b) / 2);
  };

  const onPointerDown: PointerHandler = ({ target, button, pointerId, clientX }) => {
    const isOnPlot = target instanceof Element && target.closest('[data-plot]') !== null;
    if (!isOnPlot || button !== 0) return;
    if (down.size === 0) state.hasMoved = false;
    down.set(pointerId, clientX);
    state.spreadPx = spreadPx();
  };
  const onPointerMove: PointerHandler = ({ currentTarget, pointerId, clientX }) => {
    const beforeX = down.get(pointerId);
    if (beforeX === undefined) return;
    if (down.size > 1) {
      down.set(pointerId, clientX);
      pinch();
      return;
    }
    if (!state.isDragging) {
      if (Math.abs(clientX - beforeX) < DRAG_PX || state.hasMoved) return;
      state.isDragging = true;
      state.hasMoved = true;
      // Not before: a click would be the chart's, not the bar's.
      currentTarget.setPointerCapture(pointerId);
    }
    down.set(pointerId, clientX);
    pan(beforeX - clientX);
  };
  const onPointerUp: PointerHandler = ({ pointerId }) => {
    if (!down.delete(pointerId) || down.size > 0) return;
    if (state.isDragging) settle();
    state.isDragging = false;
    // After the click that may follow at once; a key that is pressed later is meant.
    setTimeout(() => {
      state.hasMoved = false;
    });
  };
  return {
    hasMoved: () => state.hasMoved,
    onPointerDown,
    onPointerMove,
    onPointerUp,
    onPointerCancel: onPointerUp,
  };
}

function useWheel({ pan, settle, zoom }: Gestures): WheelHandler {
  const turnedPx = useRef(0);
  const settling = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(settling.current), []);
  const zoomBy = ({ deltaY, clientX }: WheelEvent) => {
    const isSameWay = Math.sign(turnedPx.current) === Math.sign(deltaY);
    turnedPx.current = isSameWay ? turnedPx.current + deltaY : deltaY;
    if (Math.abs(turnedPx.current) < WHEEL_STEP_PX) return;
    zoom(turnedPx.current < 0 ? 1 : -1, clientX);
    turnedPx.current = 0;
  };
  const panBy = (byPx: number) => {
    pan(byPx);
    clearTimeout(settling.current);
    settling.current = setTimeout(settle, SETTLE_MS);
  };
  return (event) => {
    const { ctrlKey, metaKey, shiftKey, deltaX, deltaY } = event;
    // A trackpad's pinch arrives as a wheel with Control.
    const isZoom = ctrlKey || metaKey;
    const byPx = shiftKey && deltaX === 0 ? deltaY : deltaX;
    // A wheel that turns more downwards than sideways scrolls the page.
    const isScroll = byPx === 0 || (!shiftKey && Math.abs(deltaY) > Math.abs(byPx));
    if (!isZoom && isScroll) return;
    event.preventDefault();
    if (isZoom) zoomBy(event);
    else panBy(byPx);
  };
}
