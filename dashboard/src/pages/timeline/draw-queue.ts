/** Draws the marks of many lanes: in each frame as many as leave it in time, what is seen before what is only near. */

export interface Drawable {
  /** Whether nothing is missing. */
  readonly isComplete: boolean;
  /** @returns how many it has drawn: fewer than `most` when no more are missing */
  drawSome(most: number, which: 'seen' | 'all'): number;
}

/** What drawing may take of a frame, with all that the browser does for it. */
const FRAME_MS = 20;
const LEAST_MARKS = 40;
const MOST_MARKS = 1_000;

export class DrawQueue {
  /** Called when more was drawn after a frame. */
  onDrawn: () => void = () => undefined;
  readonly #lanes = new Set<Drawable>();
  readonly #afterFrame = new MessageChannel();
  /** How many marks a frame has time for, as far as is known. */
  #marksPerFrame = 200;
  #nextFrame: number | null = null;
  #measured: { readonly startedAt: number; readonly marks: number } | null = null;

  constructor() {
    this.#afterFrame.port1.onmessage = () => this.#learn();
  }

  add(lane: Drawable): void {
    if (!lane.isComplete) this.#lanes.add(lane);
  }

  remove(lane: Drawable): void {
    this.#lanes.delete(lane);
  }

  /** What there is time for is drawn at once, the rest in the frames that follow. */
  start(): void {
    if (this.#nextFrame !== null || this.#lanes.size === 0) return;
    this.#drawSome();
    // The frame that this is drawn for is still to come.
    if (this.#lanes.size > 0) {
      this.#nextFrame = requestAnimationFrame(() => {
        this.#nextFrame = requestAnimationFrame(() => this.#onFrame());
      });
    }
  }

  stop(): void {
    if (this.#nextFrame !== null) cancelAnimationFrame(this.#nextFrame);
    this.#nextFrame = null;
    this.#lanes.clear();
    this.#afterFrame.port1.close();
  }

  #drawSome(): number {
    let left = this.#marksPerFrame;
    for (const which of ['seen', 'all'] as const) {
      for (const lane of this.#lanes) {
        if (left > 0) left -= lane.drawSome(left, which);
        if (lane.isComplete) this.#lanes.delete(lane);
      }
    }
    return this.#marksPerFrame - left;
  }

  #onFrame(): void {
    this.#nextFrame = null;
    const startedAt = performance.now();
    const marks = this.#drawSome();
    // Answered when the frame is out.
    this.#measured = { startedAt, marks };
    this.#afterFrame.port2.postMessage(null);
    if (this.#lanes.size > 0) this.#nextFrame = requestAnimationFrame(() => this.#onFrame());
    this.onDrawn();
  }

  #learn(): void {
    if (this.#measured === null || this.#measured.marks < LEAST_MARKS) return;
    const { startedAt, marks } = this.#measured;
    const fitting = (marks * FRAME_MS) / Math.max(1, performance.now() - startedAt);
    this.#marksPerFrame = Math.round(Math.max(LEAST_MARKS, Math.min(MOST_MARKS, (this.#marksPerFrame + fitting) / 2)));
  }
}
