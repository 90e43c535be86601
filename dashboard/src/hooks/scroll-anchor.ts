/**
 * Keeps the row under the pointer where it is on the screen while rows come and go above it, so that nobody hits the one
 * that has just moved there. Without a pointer, as on a phone, the first row in view, once the reader has scrolled to it.
 */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

interface ScrollAnchorOptions {
  /** What the rows are in. Their elements carry what they are known by as `data-row-key`. */
  readonly list: RefObject<HTMLElement | null>;
  /** What the reader wants to see of them: when that changes, rows are meant to move. */
  readonly wish: string;
}

interface Held {
  readonly key: string;
  /** How far down the whole page the row begins. */
  readonly topPx: number;
}

export function useScrollAnchor({ list, wish }: ScrollAnchorOptions): void {
  const hovered = useRef<string | null>(null);
  const held = useRef<Held | null>(null);
  const lastWish = useRef(wish);

  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const over = ({ target, pointerType }: PointerEvent) => {
      if (pointerType !== 'mouse') return;
      hovered.current = rowOf(target)?.dataset.rowKey ?? null;
      hold();
    };
    const out = () => {
      hovered.current = null;
      hold();
    };
    const hold = () => {
      held.current = rowToHold(element, hovered.current);
    };
    element.addEventListener('pointerover', over);
    element.addEventListener('pointerleave', out);
    addEventListener('scroll', hold, { passive: true });
    return () => {
      element.removeEventListener('pointerover', over);
      element.removeEventListener('pointerleave', out);
      removeEventListener('scroll', hold);
    };
  }, [list]);

  useLayoutEffect(() => {
    const element = list.current;
    if (element === null) return;
    const before = held.current;
    const isMeant = wish !== lastWish.current;
    lastWish.current = wish;
    if (before !== null && !isMeant) {
      const row = element.querySelector<HTMLElement>(`[data-row-key="${CSS.escape(before.key)}"]`);
      const movedPx = row === null ? 0 : topOf(row) - before.topPx;
      if (movedPx !== 0) scrollBy(0, movedPx);
    }
    held.current = rowToHold(element, hovered.current);
  });
}

function rowToHold(list: HTMLElement, hovered: string | null): Held | null {
  const row =
    hovered === null ? firstInView(list) : list.querySelector<HTMLElement>(`[data-row-key="${CSS.escape(hovered)}"]`);
  const key = row?.dataset.rowKey;
  return row === null || key === undefined ? null : { key, topPx: topOf(row) };
}

/** None while the list begins in view: then it is its beginning that stays. */
function firstInView(list: HTMLElement): HTMLElement | null {
  if (list.getBoundingClientRect().top >= 0) return null;
  const rows = [...list.querySelectorAll<HTMLElement>('[data-row-key]')];
  return rows.filter((row) => row.getBoundingClientRect().top >= 0).sort((a, b) => topOf(a) - topOf(b))[0] ?? null;
}

function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('[data-row-key]') : null;
}

function topOf(row: HTMLElement): number {
  return row.getBoundingClientRect().top + scrollY;
}
