/** Pointing at bars, and pressing them: a run opens; a group zooms in, or lists its runs where no zoom takes them apart. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { TargetedMouseEvent, TargetedPointerEvent } from 'preact';
import type { Run } from '#protocol/api';
import { navigate, runPath } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import { startsOf } from './bar-labels.ts';
import type { TipControl } from './bar-tip.tsx';
import { barRefOf, type ChartGeometry } from './chart-geometry.ts';
import type { Bar } from './layout.ts';
import type { ViewControl } from './use-view.ts';
import { framing, type View } from './view.ts';

export interface BarPress {
  press(bar: Bar): void;
  /** The same in words. */
  actionOf(bar: Bar): string;
  /** The runs to list; null for none. */
  readonly listed: ReadonlySignal<readonly Run[] | null>;
  closeList(): void;
  onPointerMove(event: TargetedPointerEvent<HTMLElement>): void;
  onClick(event: TargetedMouseEvent<HTMLElement>): void;
}

/** @param hasMoved whether a click ends a movement, and means nothing else */
export function useBarPress(
  { view, show }: ViewControl,
  { chart, barAt }: ChartGeometry,
  tip: TipControl,
  hasMoved: () => boolean,
): BarPress {
  const listed = useSignal<readonly Run[] | null>(null);
  const press = (bar: Bar) => {
    tip.hide();
    const closer = closerView(bar, view.peek());
    if (bar.runs.length === 1) navigate(runPath(bar.runs[0]));
    else if (closer !== null) show(closer);
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
    actionOf: (bar) => {
      if (bar.runs.length === 1) return 'Open run';
      return closerView(bar, view.value) === null ? 'List runs' : 'Zoom in';
    },
    listed,
    closeList: () => {
      listed.value = null;
    },
    onPointerMove: (event) => {
      if (event.pointerType === 'touch' || event.buttons !== 0) return;
      const ref = barRefOf(event.target);
      // A tip lets the mouse through to the bars below it; where there are none, it stays while it is pointed at.
      const isOfShown = ref === null ? isOver(chart.current?.querySelector('.tip'), event) : tip.isOf(ref);
      if (isOfShown) tip.keep();
      else if (ref !== null) tip.show(ref);
      else if (tip.shown.peek() !== null) tip.hideSoon();
    },
    onClick: (event) => {
      if (event.target instanceof Element && event.target.closest('.tip, .lane-head') !== null) return;
      const isMovement = hasMoved();
      if (!isMovement && isForTheBrowser(event)) return;
      event.preventDefault();
      if (!isMovement) pressAt(event);
    },
  };
}

/** Null where a closer zoom takes its runs no further apart. */
function closerView({ runs, isCrowd }: Bar, view: View): View | null {
  return isCrowd ? null : framing(view, startsOf(runs), now.peek());
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
