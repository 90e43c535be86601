/** Moving and zooming by mouse, trackpad and fingers. */
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { PointerGestures } from './pointer-gestures.ts';
import { WheelGestures } from './wheel-gestures.ts';

/** What a hand does to the chart. */
export interface Gestures {
  /** Pixels to the right are towards the future. */
  pan(byPx: number): void;
  /** The movement is over. */
  settle(): void;
  /** @param clientX what stays where it is, from the left edge of the window */
  zoom(direction: 1 | -1, clientX: number): void;
}

/** @returns whether the click that is heard now ends a movement, and means nothing else */
export function useGestures(chart: RefObject<HTMLElement | null>, gestures: Gestures): () => boolean {
  const current = useRef(gestures);
  current.current = gestures;
  const pointers = useRef<PointerGestures | null>(null);

  useEffect(() => {
    const element = chart.current;
    if (element === null) return;
    // Looked up for each gesture: every render brings others.
    const latest: Gestures = {
      pan: (byPx) => current.current.pan(byPx),
      settle: () => current.current.settle(),
      zoom: (direction, clientX) => current.current.zoom(direction, clientX),
    };
    const pointer = new PointerGestures(element, latest);
    const wheel = new WheelGestures(latest);
    pointers.current = pointer;
    const listening = new AbortController();
    const { signal } = listening;
    element.addEventListener('pointerdown', (event) => pointer.down(event), { signal });
    element.addEventListener('pointermove', (event) => pointer.move(event), { signal });
    element.addEventListener('pointerup', (event) => pointer.up(event), { signal });
    element.addEventListener('pointercancel', (event) => pointer.up(event), { signal });
    element.addEventListener('wheel', (event) => wheel.turn(event), { signal, passive: false });
    return () => {
      wheel.stop();
      listening.abort();
    };
  }, []);
  return () => pointers.current?.hasMoved === true;
}
