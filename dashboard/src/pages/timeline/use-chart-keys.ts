/** Moving, zooming, and going from bar to bar and from lane to lane, by key. */
import type { TargetedKeyboardEvent } from 'preact';
import { useListCursor } from '../../keyboard/list-cursor.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import type { TipControl } from './bar-tip.tsx';
import { barRefOf, type ChartGeometry } from './chart-geometry.ts';
import type { Lane } from './lanes.ts';
import { type Bar, keyOf } from './layout.ts';
import type { BarFocus } from './use-bar-focus.ts';
import type { ViewControl } from './use-view.ts';
import { overlaps, ZOOMS } from './view.ts';

/** An arrow key moves by this share of the period. */
const STEP_SHARE = 1 / 4;

interface ChartKeysOptions {
  readonly control: ViewControl;
  readonly geometry: ChartGeometry;
  readonly focus: BarFocus;
  readonly tip: TipControl;
  revealLane(index: number): void;
}

/** @returns what listens to the keys that are pressed in the chart */
export function useChartKeys({ control, geometry, focus, tip, revealLane }: ChartKeysOptions) {
  const { lanes, laneNamed, barsOf } = geometry;
  const panBy = (ms: number) => {
    control.drag(ms);
    control.settle();
  };
  const panByStep = (direction: 1 | -1) => panBy(direction * ZOOMS[control.view.peek().zoom].ms * STEP_SHARE);
  /** About the bar that has the focus, if it is in view. */
  const zoom = (direction: 1 | -1) => {
    const { from, to } = control.period.peek();
    const ms = focus.focused()?.ms ?? null;
    control.zoom(direction, ms !== null && ms >= from && ms <= to ? ms : null);
  };
  useShortcuts([
    { key: '+', does: 'Zoom in', run: () => zoom(1) },
    { key: '-', does: 'Zoom out', run: () => zoom(-1) },
    { key: 'ArrowLeft', does: 'Earlier; on a bar: previous bar', run: () => panByStep(-1) },
    { key: 'ArrowRight', does: 'Later; on a bar: next bar', run: () => panByStep(1) },
  ]);

  const moveTo = (lane: Lane, bar: string | null, ms: number) => {
    revealLane(lanes.indexOf(lane));
    focus.moveTo({ lane: lane.name, bar, ms });
  };
  const focusLane = (index: number) => {
    const lane = lanes[index];
    if (lane !== undefined) moveTo(lane, null, focus.cursor.peek()?.ms ?? control.period.peek().to);
  };
  useListCursor({
    count: lanes.length,
    current: () => {
      const focused = document.activeElement?.closest<HTMLElement>('[data-lane]')?.dataset.lane;
      return lanes.findIndex(({ name }) => name === (focused ?? focus.cursor.peek()?.lane));
    },
    focus: focusLane,
    item: 'lane',
  });

  const focusBar = (lane: Lane, bar: Bar | undefined) => {
    if (bar === undefined) return;
    const period = control.settledPeriod.peek();
    if (!overlaps(bar, period)) panBy(bar.from - (period.from + period.to) / 2);
    moveTo(lane, keyOf(bar), bar.from);
  };
  /** @returns whether the key moves the focus */
  const moveBy = (key: string, lane: Lane, from: string): boolean => {
    const bars = barsOf(lane);
    const at = bars.findIndex((bar) => keyOf(bar) === from);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => focusBar(lane, bars[at - 1]),
      ArrowRight: () => focusBar(lane, bars[at + 1]),
      ArrowUp: () => focusLane(Math.max(0, lanes.indexOf(lane) - 1)),
      ArrowDown: () => focusLane(Math.min(lanes.length - 1, lanes.indexOf(lane) + 1)),
      Home: () => focusBar(lane, bars[0]),
      End: () => focusBar(lane, bars.at(-1)),
    };
    const move = moves[key];
    move?.();
    return move !== undefined;
  };

  return (event: TargetedKeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && tip.shown.peek() !== null) {
      tip.hide();
      event.preventDefault();
      return;
    }
    const ref = barRefOf(event.target);
    const lane = ref === null ? undefined : laneNamed(ref.lane);
    if (ref !== null && lane !== undefined && moveBy(event.key, lane, ref.bar)) event.preventDefault();
  };
}
