/** Pointing at marks and pressing them, by mouse and by finger. */
import type { TargetedMouseEvent, TargetedPointerEvent } from 'preact';
import { now } from '../../state/clock.ts';
import { type ChartGeometry, type MarkPlace, placeOf } from './chart-geometry.ts';
import type { Lane } from './lane-index.ts';
import { keyOf, type Mark, markAt, marksWithin } from './lane-layout.ts';
import type { TimelineState } from './timeline-state.ts';
import type { ChartMovement } from './use-chart-movement.ts';
import type { MarkAction } from './use-mark-action.ts';
import type { MarkTipControl } from './use-mark-tip.ts';

/** How far from a mark it may be pointed at. */
const REACH_PX = 10;
const FINGER_REACH_PX = 22;

interface MarkPointingOptions {
  readonly state: TimelineState;
  readonly geometry: ChartGeometry;
  readonly tip: MarkTipControl;
  readonly movement: ChartMovement;
  readonly action: MarkAction;
}

interface Pointed {
  readonly place: MarkPlace;
  readonly mark: Mark;
}

export function useMarkPointing({ state, geometry, tip, movement, action }: MarkPointingOptions) {
  /** The mark that is pointed at, or one near by. */
  const pointedAt = (event: PointerEvent | MouseEvent, reachPx: number): Pointed | null => {
    const track = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-plot]') : null;
    const lane = geometry.laneNamed(track?.closest<HTMLElement>('[data-lane]')?.dataset.lane ?? '');
    if (track === null || lane === undefined) return null;
    const direct = placeOf(event.target);
    const mark = direct === null ? nearTo(event, reachPx, track, lane) : geometry.markAtPlace(direct);
    return mark === null ? null : { place: { lane: lane.name, mark: keyOf(mark) }, mark };
  };
  const nearTo = ({ clientX, clientY }: MouseEvent, reachPx: number, track: HTMLElement, lane: Lane): Mark | null => {
    const rowPx = rowHeightPx(track);
    return markAt(
      marksWithin(geometry.layoutOf(lane).marks, state.period.peek()),
      { ms: geometry.msAt(clientX), row: (clientY - track.getBoundingClientRect().top) / rowPx },
      { ms: reachPx * geometry.msPerPx, rows: reachPx / rowPx, nowMs: now.peek() },
    );
  };

  const onPointerMove = (event: TargetedPointerEvent<HTMLElement>) => {
    if (event.pointerType === 'touch' || event.buttons !== 0) return;
    const at = pointedAt(event, REACH_PX);
    // It is not in the way of what it lies on, but where that is nothing it can be read with the pointer on it.
    const isShown = at === null ? isOver(geometry.chart.current?.querySelector('.tip'), event) : tip.isOf(at.place);
    if (isShown) tip.keep();
    else if (at !== null) tip.show(at.place);
    else if (tip.place.value !== null) tip.hideSoon();
  };
  /** What a finger touches first only tells: it hides what it points at. */
  const press = (at: Pointed | null, isTouch: boolean) => {
    if (at === null) tip.hide();
    else if (isTouch && !tip.isOf(at.place)) tip.show(at.place, true);
    else action.act(at.place.lane, at.mark);
  };
  const onClick = (event: TargetedMouseEvent<HTMLElement>) => {
    if (event.target instanceof Element && event.target.closest('.tip, .lane-head') !== null) return;
    if (movement.isEndedByClick()) {
      event.preventDefault();
      return;
    }
    if (isForTheBrowser(event)) return;
    event.preventDefault();
    const isTouch = event instanceof PointerEvent && event.pointerType === 'touch';
    press(pointedAt(event, isTouch ? FINGER_REACH_PX : REACH_PX), isTouch);
  };
  return { onPointerMove, onClick };
}

/** To open a link in a tab of its own, for example. */
function isForTheBrowser({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean {
  return button !== 0 || metaKey || ctrlKey || shiftKey || altKey;
}

function isOver(element: Element | null | undefined, { clientX, clientY }: PointerEvent): boolean {
  if (element === null || element === undefined) return false;
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

function rowHeightPx(track: HTMLElement): number {
  return Number.parseFloat(getComputedStyle(track).getPropertyValue('--row')) || 1;
}
