/**
 * Brings the reader of a list back to the row that they were at, with the focus that they had, when they come back to the
 * page or load it anew: by itself the browser tries that before the rows are there.
 */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import * as v from 'valibot';
import { remembered, saveOnLeaving } from '../state/history-entry.ts';

const NAME = 'place';
/** A row's height is known once it is drawn: the position is corrected at most this many times. */
const MOST_STEPS = 40;
/** For this many frames a late measurement may still move it. */
const CALM_FRAMES = 10;
const GOING_ELSEWHERE = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const;

const Position = v.object({
  scrollPx: v.number(),
  /** The first row in view, and how far from the top of the window it begins. */
  row: v.nullable(v.string()),
  topPx: v.number(),
  /** The row that had the focus. */
  focus: v.nullable(v.string()),
  /** The timeline's bar that had it there. */
  bar: v.nullable(v.string()),
});
type Position = v.InferOutput<typeof Position>;

interface Rows {
  /** The rows' keys, in their order. Their elements carry it as `data-row-key`. */
  readonly keys: readonly string[];
  /** How far down the page a row begins, as far as it is known. */
  startPx(key: string): number | null;
  /** Whether all rows that there were, or that there are, have come. */
  readonly isComplete: boolean;
}

interface ScrollRestorationOptions extends Rows {
  /** What all the rows are in. */
  readonly within: RefObject<HTMLElement | null>;
}

export function useScrollRestoration(options: ScrollRestorationOptions): void {
  const { within } = options;
  const back = useRef<Restoration | null>(null);
  back.current ??= new Restoration(readPosition(remembered(NAME)));
  useEffect(() => saveOnLeaving(NAME, () => back.current?.goal ?? positionWithin(within.current)), [within]);
  useLayoutEffect(() => back.current?.step(within.current, options));
  // Whoever goes elsewhere meanwhile is left there.
  useEffect(() => {
    const giveUp = () => back.current?.giveUp();
    for (const type of GOING_ELSEWHERE) addEventListener(type, giveUp, { passive: true });
    return () => {
      for (const type of GOING_ELSEWHERE) removeEventListener(type, giveUp);
    };
  }, []);
}

/** The way back to a place, in steps, one with each drawing. */
class Restoration {
  /** Null once the reader is there, or has gone elsewhere. */
  goal: Position | null;
  #steps = 0;
  #isCalm = false;

  constructor(goal: Position | null) {
    this.goal = goal;
  }

  giveUp(): void {
    this.goal = null;
  }

  step(list: HTMLElement | null, { keys, startPx, isComplete }: Rows): void {
    const { goal } = this;
    if (goal === null) return;
    const key = goal.row !== null && keys.includes(goal.row) ? goal.row : null;
    if (key !== null || isComplete) this.#go(list, goal, key === null ? null : { key, px: startPx(key) }, keys);
  }

  #go(
    list: HTMLElement | null,
    goal: Position,
    start: { readonly key: string; readonly px: number | null } | null,
    keys: readonly string[],
  ): void {
    this.#steps += 1;
    const isPlaced = start === null ? scrollToPx(goal.scrollPx) : bringTo(goal, rowIn(list, start.key), start.px);
    const isFocused = goal.focus === null || !keys.includes(goal.focus) || focusIn(list, goal);
    if (this.#steps > MOST_STEPS) this.goal = null;
    else if (isPlaced && isFocused && !this.#isCalm) {
      this.#isCalm = true;
      this.#endIn(CALM_FRAMES, list);
    }
  }

  #endIn(frames: number, list: HTMLElement | null): void {
    requestAnimationFrame(() => {
      if (this.goal === null) return;
      const row = this.goal.row === null ? null : rowIn(list, this.goal.row);
      if (row !== null) bringTo(this.goal, row, null);
      if (frames === 0) this.goal = null;
      else this.#endIn(frames - 1, list);
    });
  }
}

function scrollToPx(px: number): boolean {
  if (Math.abs(scrollY - px) > 1) scrollTo(0, px);
  return true;
}

/** @returns whether the row is where it was already: while others are drawn and measured it may be moved again */
function bringTo({ scrollPx, topPx }: Position, row: HTMLElement | null, startPx: number | null): boolean {
  if (row === null) {
    scrollTo(0, startPx === null ? scrollPx : startPx - topPx);
    return false;
  }
  const offPx = row.getBoundingClientRect().top - topPx;
  if (Math.abs(offPx) <= 1) return true;
  scrollBy(0, offPx);
  return false;
}

function positionWithin(list: HTMLElement | null): Position {
  const rows = [...(list?.querySelectorAll<HTMLElement>('[data-row-key]') ?? [])];
  const inView = rows
    .map((row) => ({ row, topPx: row.getBoundingClientRect().top }))
    .filter(({ topPx }) => topPx >= 0)
    .sort((a, b) => a.topPx - b.topPx)[0];
  const focus = document.activeElement?.closest<HTMLElement>('[data-row-key]') ?? null;
  return {
    scrollPx: scrollY,
    row: scrollY === 0 ? null : (inView?.row.dataset.rowKey ?? null),
    topPx: inView?.topPx ?? 0,
    focus: focus?.dataset.rowKey ?? null,
    bar: document.activeElement?.closest<HTMLElement>('[data-bar]')?.dataset.bar ?? null,
  };
}

function rowIn(list: HTMLElement | null, key: string | null): HTMLElement | null {
  return list?.querySelector<HTMLElement>(`[data-row-key="${CSS.escape(key ?? '')}"]`) ?? null;
}

/** Whether it could be given back. One that is elsewhere by now stays there. */
function focusIn(list: HTMLElement | null, { focus, bar }: Position): boolean {
  if (document.activeElement !== null && document.activeElement !== document.body) return true;
  const selector = bar === null ? '[data-cursor]' : `[data-bar="${CSS.escape(bar)}"]`;
  const target = rowIn(list, focus)?.querySelector<HTMLElement>(selector);
  target?.focus({ preventScroll: true });
  return target !== null && target !== undefined;
}

function readPosition(kept: unknown): Position | null {
  const parsed = v.safeParse(Position, kept);
  return parsed.success ? parsed.output : null;
}
