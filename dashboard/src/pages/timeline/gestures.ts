/** Moving and zooming by mouse, trackpad and fingers. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Gestures {
  /** Pixels to the right are towards the future. */
  pan(byPx: number): void;
  /** The movement is over. */
  settle(): void;
  /** @param atPx from the left edge of the plot */
  zoom(direction: 1 | -1, atPx: number): void;
}

/** Below this a hand has only trembled. */
const DRAG_PX = 4;
/** So much turning of the wheel, or of a trackpad's pinch, is a step. */
const WHEEL_STEP = 60;
/** Fingers so many times as far apart as they were are a step. */
const PINCH_STEP = 1.5;
const SETTLE_MS = 150;

/**
 * @param plot what is moved, and where its left edge is
 * @returns whether the click that is heard now ends a movement, and means nothing else
 */
export function useGestures(
  chart: RefObject<HTMLElement | null>,
  plot: RefObject<HTMLElement | null>,
  gestures: Gestures,
): () => boolean {
  const current = useRef(gestures);
  current.current = gestures;
  const hasMoved = useRef(false);

  useEffect(() => {
    const element = chart.current;
    if (element === null) return;
    const fingers = new Map<number, { x: number; y: number }>();
    let isDragging = false;
    let spread = 0;
    let turned = 0;
    let settling: ReturnType<typeof setTimeout> | undefined;
    const fromLeft = (clientX: number) => clientX - (plot.current?.getBoundingClientRect().left ?? 0);
    const center = () => {
      const xs = [...fingers.values()].map(({ x }) => x);
      return xs.reduce((sum, x) => sum + x, 0) / xs.length;
    };
    const distance = () => {
      const [a, b] = [...fingers.values()];
      return a === undefined || b === undefined ? 0 : Math.hypot(a.x - b.x, a.y - b.y);
    };
    const settleSoon = () => {
      clearTimeout(settling);
      settling = setTimeout(() => current.current.settle(), SETTLE_MS);
    };

    const down = (event: PointerEvent) => {
      const isOnPlot = event.target instanceof Element && event.target.closest('[data-plot]') !== null;
      if (!isOnPlot || event.button !== 0) return;
      if (fingers.size === 0) hasMoved.current = false;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      spread = distance();
    };
    const move = (event: PointerEvent) => {
      const finger = fingers.get(event.pointerId);
      if (finger === undefined) return;
      if (fingers.size === 2) {
        fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        hasMoved.current = true;
        const ratio = distance() / Math.max(1, spread);
        if (ratio < PINCH_STEP && ratio > 1 / PINCH_STEP) return;
        spread = distance();
        current.current.zoom(ratio > 1 ? 1 : -1, fromLeft(center()));
        return;
      }
      const byPx = event.clientX - finger.x;
      if (!isDragging) {
        if (Math.abs(byPx) < DRAG_PX || hasMoved.current) return;
        isDragging = true;
        hasMoved.current = true;
        // Not before: a click would be the chart's, not the mark's.
        element.setPointerCapture(event.pointerId);
      }
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      current.current.pan(-byPx);
    };
    const up = (event: PointerEvent) => {
      if (!fingers.delete(event.pointerId)) return;
      if (fingers.size > 0) return;
      if (isDragging) current.current.settle();
      isDragging = false;
      // After the click that may follow at once; what is pressed by a key later is meant.
      setTimeout(() => {
        hasMoved.current = false;
      });
    };
    const wheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        turned = Math.sign(turned) === Math.sign(event.deltaY) ? turned + event.deltaY : event.deltaY;
        if (Math.abs(turned) < WHEEL_STEP) return;
        current.current.zoom(turned < 0 ? 1 : -1, fromLeft(event.clientX));
        turned = 0;
        return;
      }
      const byPx = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      if (byPx === 0 || (!event.shiftKey && Math.abs(event.deltaY) > Math.abs(byPx))) return;
      event.preventDefault();
      current.current.pan(byPx);
      settleSoon();
    };

    element.addEventListener('pointerdown', down);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up);
    element.addEventListener('pointercancel', up);
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      clearTimeout(settling);
      element.removeEventListener('pointerdown', down);
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', up);
      element.removeEventListener('pointercancel', up);
      element.removeEventListener('wheel', wheel);
    };
  }, []);
  return () => hasMoved.current;
}
