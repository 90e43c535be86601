/** Zooming with a wheel or a trackpad's pinch, and moving with what turns sideways. */
import type { Gestures } from './gestures.ts';

/** So much turning of the wheel, or of a trackpad's pinch, is a step. */
const WHEEL_STEP = 60;
/** A wheel has no end to its movement: it is over when it has rested for this long. */
const SETTLE_MS = 150;

export class WheelGestures {
  readonly #gestures: Gestures;
  /** Turned since the last step. */
  #turned = 0;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(gestures: Gestures) {
    this.#gestures = gestures;
  }

  turn(event: WheelEvent): void {
    // A trackpad's pinch arrives as a wheel with Control.
    if (event.ctrlKey || event.metaKey) this.#zoom(event);
    else this.#pan(event);
  }

  stop(): void {
    clearTimeout(this.#settling);
  }

  #zoom(event: WheelEvent): void {
    event.preventDefault();
    const isSameWay = Math.sign(this.#turned) === Math.sign(event.deltaY);
    this.#turned = isSameWay ? this.#turned + event.deltaY : event.deltaY;
    if (Math.abs(this.#turned) < WHEEL_STEP) return;
    this.#gestures.zoom(this.#turned < 0 ? 1 : -1, event.clientX);
    this.#turned = 0;
  }

  #pan(event: WheelEvent): void {
    const byPx = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    // What turns downwards more than sideways scrolls the page.
    if (byPx === 0 || (!event.shiftKey && Math.abs(event.deltaY) > Math.abs(byPx))) return;
    event.preventDefault();
    this.#gestures.pan(byPx);
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#gestures.settle(), SETTLE_MS);
  }
}
