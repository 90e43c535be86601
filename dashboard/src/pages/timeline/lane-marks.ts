/** The elements of a lane's marks: those near to what is seen, as many at a time as there is time for. */
import type { Drawable } from './draw-queue.ts';
import { keyOf, type Mark, marksWithin } from './lane-layout.ts';
import { type Drawing, elementFor, hiddenPxOf, writeMark } from './mark-element.tsx';
import type { Period } from './view.ts';

export interface Shown extends Drawing {
  /** Of the whole lane. */
  readonly marks: readonly Mark[];
  /** What is to be drawn, and what of it is seen, which comes first. */
  readonly drawn: Period;
  readonly seen: Period;
  /** The one that is reached by Tab. */
  readonly tabbed: string | null;
}

interface Drawn {
  readonly element: HTMLElement;
  mark: Mark;
  hiddenPx: number;
}

export class LaneMarks implements Drawable {
  readonly #box: HTMLElement;
  readonly #drawn = new Map<string, Drawn>();
  #shown: Shown | null = null;
  #wanted: readonly Mark[] = [];

  constructor(box: HTMLElement) {
    this.#box = box;
  }

  /** What is there already is put right at once; what is missing is left to `drawSome`. */
  show(shown: Shown): void {
    const before = this.#shown;
    this.#shown = shown;
    this.#wanted = marksWithin(shown.marks, shown.drawn);
    if (before !== null && !isSameScale(before, shown)) this.#clear();
    const gone = new Map(this.#drawn);
    for (const mark of this.#wanted) {
      const key = keyOf(mark);
      const drawn = this.#drawn.get(key);
      if (drawn === undefined) continue;
      gone.delete(key);
      const hiddenPx = hiddenPxOf(mark, shown);
      // What still goes on grows.
      const isAsDrawn = mark.to !== null && drawn.hiddenPx === hiddenPx && isSame(drawn.mark, mark);
      drawn.mark = mark;
      drawn.hiddenPx = hiddenPx;
      if (!isAsDrawn) writeMark(drawn.element, mark, shown);
    }
    for (const [key, { element }] of gone) {
      element.remove();
      this.#drawn.delete(key);
    }
    if (before !== null && before.tabbed !== shown.tabbed) this.#setTabIndex(before.tabbed, -1);
    this.#setTabIndex(shown.tabbed, 0);
  }

  drawSome(most: number, which: 'seen' | 'all'): number {
    const shown = this.#shown;
    if (shown === null) return 0;
    let count = 0;
    // From the end on, so that each has its place before the next one: they are read in this order.
    let next: HTMLElement | null = null;
    for (let index = this.#wanted.length - 1; index >= 0 && count < most; index -= 1) {
      const mark = this.#wanted[index];
      if (mark === undefined) continue;
      let element = this.#drawn.get(keyOf(mark))?.element;
      if (element === undefined) {
        if (which === 'seen' && !isWithin(mark, shown.seen)) continue;
        element = elementFor(mark);
        writeMark(element, mark, shown);
        if (keyOf(mark) === shown.tabbed) element.tabIndex = 0;
        this.#box.insertBefore(element, next);
        this.#drawn.set(keyOf(mark), { element, mark, hiddenPx: hiddenPxOf(mark, shown) });
        count += 1;
      }
      next = element;
    }
    return count;
  }

  get isComplete(): boolean {
    return this.#drawn.size === this.#wanted.length;
  }

  #setTabIndex(key: string | null, tabIndex: number): void {
    const drawn = key === null ? undefined : this.#drawn.get(key);
    if (drawn !== undefined) drawn.element.tabIndex = tabIndex;
  }

  #clear(): void {
    this.#box.replaceChildren();
    this.#drawn.clear();
  }
}

function isSameScale(a: Shown, b: Shown): boolean {
  return a.msPerPx === b.msPerPx && a.field.from === b.field.from && a.kind === b.kind;
}

function isWithin(mark: Mark, { from, to }: Period): boolean {
  return mark.from <= to && (mark.to === null || mark.to >= from);
}

/** Whether it looks the same: marks are made anew whenever a run of their lane has changed. */
function isSame(a: Mark, b: Mark): boolean {
  if (a === b) return true;
  if (a.from !== b.from || a.to !== b.to || a.row !== b.row) return false;
  if (a.kind === 'run') return b.kind === 'run' && a.run === b.run;
  return (
    b.kind === 'group' &&
    a.cause === b.cause &&
    a.runs.length === b.runs.length &&
    a.runs.every((run, index) => run === b.runs[index])
  );
}
