/** Draws lanes one after the other, as much in a frame as it has time for. */

interface Drawable<Drawing> {
  /** @returns whether it is complete; not when it had to stop at `endMs` */
  draw(drawing: Drawing, endMs: number): boolean;
}

/** What drawing may take of a frame: layout and paint of what is drawn take several times as long. */
const BUDGET_MS = 3;

export class DrawQueue<Drawing> {
  /** Called when more has been drawn. */
  onDrawn: () => void = () => undefined;
  readonly #waiting = new Map<Drawable<Drawing>, Drawing>();
  #frame: number | null = null;

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  add(lane: Drawable<Drawing>, drawing: Drawing): void {
    this.#waiting.set(lane, drawing);
  }

  remove(lane: Drawable<Drawing>): void {
    this.#waiting.delete(lane);
  }

  /** Begins at once, and leaves to the frames that follow what it has no time for. */
  start(): void {
    if (this.#frame === null) this.#drawSome();
  }

  stop(): void {
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }

  #drawSome(): void {
    const endMs = performance.now() + BUDGET_MS;
    for (const [lane, drawing] of this.#waiting) {
      if (!lane.draw(drawing, endMs)) break;
      this.#waiting.delete(lane);
    }
    this.#frame = this.isIdle ? null : requestAnimationFrame(() => this.#drawSome());
    this.onDrawn();
  }
}
