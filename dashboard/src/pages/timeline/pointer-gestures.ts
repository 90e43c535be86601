/** Dragging with a pointer, and zooming with two fingers. */
import type { Gestures } from './gestures.ts';

/** Below this a hand has only trembled. */
const DRAG_PX = 4;
/** Fingers so many times as far apart as they were are a step. */
const PINCH_STEP = 1.5;

interface Point {
  readonly x: number;
  readonly y: number;
}

export class PointerGestures {
  readonly #element: HTMLElement;
  readonly #gestures: Gestures;
  /** The pointers that are down, by their ids. */
  readonly #pointers = new Map<number, Point>();
  #isDragging = false;
  /** How far two fingers were apart at the last step. */
  #distancePx = 0;
  #hasMoved = false;

  constructor(element: HTMLElement, gestures: Gestures) {
    this.#element = element;
    this.#gestures = gestures;
  }

  /** Whether the pointers have moved since the first of them was put down. */
  get hasMoved(): boolean {
    return this.#hasMoved;
  }

  down(event: PointerEvent): void {
    const isOnPlot = event.target instanceof Element && event.target.closest('[data-plot]') !== null;
    if (!isOnPlot || event.button !== 0) return;
    if (this.#pointers.size === 0) this.#hasMoved = false;
    this.#pointers.set(event.pointerId, pointOf(event));
    this.#distancePx = this.#distance();
  }

  move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    if (this.#pointers.size === 2) this.#pinch(event);
    else this.#drag(event, before);
  }

  up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#pointers.size > 0) return;
    if (this.#isDragging) this.#gestures.settle();
    this.#isDragging = false;
    // After the click that may follow at once; what is pressed by a key later is meant.
    setTimeout(() => {
      this.#hasMoved = false;
    });
  }

  #pinch(event: PointerEvent): void {
    this.#pointers.set(event.pointerId, pointOf(event));
    this.#hasMoved = true;
    const ratio = this.#distance() / Math.max(1, this.#distancePx);
    if (ratio < PINCH_STEP && ratio > 1 / PINCH_STEP) return;
    this.#distancePx = this.#distance();
    this.#gestures.zoom(ratio > 1 ? 1 : -1, this.#centerX());
  }

  #drag(event: PointerEvent, before: Point): void {
    const byPx = event.clientX - before.x;
    if (!this.#isDragging) {
      if (Math.abs(byPx) < DRAG_PX || this.#hasMoved) return;
      this.#isDragging = true;
      this.#hasMoved = true;
      // Not before: a click would be the chart's, not the mark's.
      this.#element.setPointerCapture(event.pointerId);
    }
    this.#pointers.set(event.pointerId, pointOf(event));
    this.#gestures.pan(-byPx);
  }

  #centerX(): number {
    const xs = [...this.#pointers.values()].map(({ x }) => x);
    return xs.reduce((sum, x) => sum + x, 0) / xs.length;
  }

  #distance(): number {
    const [a, b] = [...this.#pointers.values()];
    return a === undefined || b === undefined ? 0 : Math.hypot(a.x - b.x, a.y - b.y);
  }
}

function pointOf({ clientX, clientY }: PointerEvent): Point {
  return { x: clientX, y: clientY };
}
