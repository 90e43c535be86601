/** Pointing at bars, and pressing them: a run opens, a group lists its runs. */
import { useSignal } from '@preact/signals';
import type { TargetedMouseEvent, TargetedPointerEvent } from 'preact';
import type { Run } from '#protocol/api';
import { navigate, runPath } from '../../router.tsx';
import type { TipControl } from './bar-tip.tsx';
import { barRefOf, type ChartGeometry } from './chart-geometry.ts';
import type { Bar } from './layout.ts';

/** @param hasMoved whether a click ends a movement, and means nothing else */
export function useBarPress({ chart, barAt }: ChartGeometry, tip: TipControl, hasMoved: () => boolean) {
  const listed = useSignal<readonly Run[] | null>(null);
  const press = (bar: Bar) => {
    tip.hide();
    if (bar.runs.length === 1) navigate(runPath(bar.runs[0]));
    else listed.value = bar.runs;
  };
  /** What a finger touches first only shows its tip: the finger covers it. */
  const pressAt = (event: MouseEvent) => {
    const ref = barRefOf(event.target);
    const bar = ref === null ? null : barAt(ref);
    const isTouch = event instanceof PointerEvent && event.pointerType === 'touch';
    if (ref === null || bar === null) tip.hide();
    else if (isTouch && !tip.isOf(ref)) tip.show(ref, true);
    else press(bar);
  };
  return {
    press,
    /** The runs to list; null for none. */
    listed,
    closeList: () => {
      listed.value = null;
    },
    onPointerMove: (event: TargetedPointerEvent<HTMLElement>) => {
      if (event.pointerType === 'touch' || event.buttons !== 0) return;
      const ref = barRefOf(event.target);
      // A tip lets the mouse through to the bars below it; where there are none, it stays while it is pointed at.
      const isOfShown = ref === null ? isOver(chart.current?.querySelector('.tip'), event) : tip.isOf(ref);
      if (isOfShown) tip.keep();
      else if (ref !== null) tip.show(ref);
      else if (tip.shown.peek() !== null) tip.hideSoon();
    },
    onClick: (event: TargetedMouseEvent<HTMLElement>) => {
      if (event.target instanceof Element && event.target.closest('.tip, .lane-head') !== null) return;
      const isMovement = hasMoved();
      if (!isMovement && isForTheBrowser(event)) return;
      event.preventDefault();
      if (!isMovement) pressAt(event);
    },
  };
}

/** Such as a click that opens a link in a tab of its own. */
function isForTheBrowser({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean {
  return button !== 0 || metaKey || ctrlKey || shiftKey || altKey;
}

function isOver(element: Element | null | undefined, { clientX, clientY }: PointerEvent): boolean {
  const box = element?.getBoundingClientRect();
  return (
    box !== undefined && clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom
  );
}
