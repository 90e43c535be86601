/** Time that passes only when something happens: a queue of what is to happen when. */
export class VirtualTime {
  #now = 0;
  #order = 0;
  /** The next at the end. */
  readonly #queue: { readonly at: number; readonly order: number; readonly happen: () => void }[] = [];

  get now(): number {
    return this.#now;
  }

  /** @returns cancels it */
  after(ms: number, happen: () => void): () => void {
    this.#order += 1;
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order, happen };
    let index = this.#queue.length;
    while (index > 0 && isLater(entry, this.#queue[index - 1])) index -= 1;
    this.#queue.splice(index, 0, entry);
    return () => {
      const at = this.#queue.indexOf(entry);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  /** Lets things happen until `isDone`, in order; fails when that takes more than `maxMs` or `maxSteps`. */
  run(isDone: () => boolean, maxMs: number, maxSteps: number): void {
    for (let step = 0; !isDone(); step += 1) {
      const next = this.#queue.pop();
      if (next === undefined) throw new Error(`at ${this.#now} ms nothing is left to happen`);
      if (next.at > maxMs) throw new Error(`not done after ${maxMs} ms`);
      if (step > maxSteps) throw new Error(`not done after ${maxSteps} steps, at ${this.#now} ms`);
      this.#now = next.at;
      next.happen();
    }
  }
}

type Moment = { readonly at: number; readonly order: number };

function isLater(entry: Moment, other: Moment | undefined): boolean {
  return other !== undefined && (entry.at > other.at || (entry.at === other.at && entry.order > other.order));
}
