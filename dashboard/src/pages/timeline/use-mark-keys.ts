/** Going from mark to mark along a lane, and from lane to lane, by key. */
import type { TargetedKeyboardEvent } from 'preact';
import { useListCursor } from '../../keyboard/list-cursor.ts';
import { type ChartGeometry, placeOf } from './chart-geometry.ts';
import type { Lane } from './lane-index.ts';
import { keyOf, type Mark, marksWithin } from './lane-layout.ts';
import type { TimelineState } from './timeline-state.ts';
import type { ChartMovement } from './use-chart-movement.ts';
import type { MarkFocus } from './use-mark-focus.ts';
import type { MarkTipControl } from './use-mark-tip.ts';

interface MarkKeysOptions {
  readonly state: TimelineState;
  readonly geometry: ChartGeometry;
  readonly tip: MarkTipControl;
  readonly focus: MarkFocus;
  readonly movement: ChartMovement;
}

/** @returns what hears the keys that are pressed in the chart */
export function useMarkKeys({ state, geometry, tip, focus, movement }: MarkKeysOptions) {
  const { lanes } = geometry;
  const currentLane = () => {
    const name = document.activeElement?.closest<HTMLElement>('[data-lane]')?.dataset.lane ?? focus.cursor.peek()?.lane;
    return lanes.findIndex((lane) => lane.name === name);
  };
  const focusLane = (index: number) => {
    const lane = lanes[index];
    if (lane !== undefined) {
      focus.moveTo({ lane: lane.name, mark: null, ms: focus.cursor.peek()?.ms ?? state.period.peek().to });
    }
  };
  useListCursor({ count: lanes.length, current: currentLane, focus: focusLane, item: 'lane' });

  /** Along the lane, also to what is out of view. */
  const focusMark = (lane: Lane, mark: Mark | undefined) => {
    if (mark === undefined) return;
    const { from, to } = state.settledPeriod.peek();
    const isSeen = marksWithin([mark], { from, to }).length > 0;
    if (!isSeen) movement.panBy(mark.from - (from + to) / 2);
    focus.moveTo({ lane: lane.name, mark: keyOf(mark), ms: mark.from });
  };
  /** @returns whether the key is one of those */
  const moveBy = (key: string, lane: Lane, from: string): boolean => {
    const { marks } = geometry.layoutOf(lane);
    const at = marks.findIndex((mark) => keyOf(mark) === from);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => focusMark(lane, marks[at - 1]),
      ArrowRight: () => focusMark(lane, marks[at + 1]),
      ArrowUp: () => focusLane(Math.max(0, lanes.indexOf(lane) - 1)),
      ArrowDown: () => focusLane(Math.min(lanes.length - 1, lanes.indexOf(lane) + 1)),
      Home: () => focusMark(lane, marks[0]),
      End: () => focusMark(lane, marks.at(-1)),
    };
    const move = moves[key];
    move?.();
    return move !== undefined;
  };

  return (event: TargetedKeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && tip.place.value !== null) {
      tip.hide();
      event.preventDefault();
      return;
    }
    const place = placeOf(event.target);
    const lane = place === null ? undefined : geometry.laneNamed(place.lane);
    if (place !== null && lane !== undefined && moveBy(event.key, lane, place.mark)) event.preventDefault();
  };
}
