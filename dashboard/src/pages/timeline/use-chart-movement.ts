/** Moving through time and zooming, by hand and by key. */
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import type { ChartGeometry } from './chart-geometry.ts';
import { useGestures } from './gestures.ts';
import type { TimelineState } from './timeline-state.ts';
import type { MarkFocus } from './use-mark-focus.ts';
import type { MarkTipControl } from './use-mark-tip.ts';
import { SPAN_MS } from './view.ts';

/** Of what is in view, an arrow key moves by this much. */
const STEP_SHARE = 1 / 4;

interface ChartMovementOptions {
  readonly state: TimelineState;
  readonly geometry: ChartGeometry;
  readonly tip: MarkTipControl;
  readonly focus: MarkFocus;
}

export interface ChartMovement {
  /** Moves the chart, and is done with it. */
  panBy(ms: number): void;
  /** Whether the click that is heard now ends a movement, and means nothing else. */
  isEndedByClick(): boolean;
}

export function useChartMovement({ state, geometry, tip, focus }: ChartMovementOptions): ChartMovement {
  const drag = (byMs: number) => {
    tip.hide();
    state.drag(byMs);
  };
  const panBy = (ms: number) => {
    drag(ms);
    state.settle();
  };
  const zoom = (direction: 1 | -1, aroundMs: number | null) => {
    tip.hide();
    const focused = focus.focused();
    if (focused !== null) focus.moveOnceDrawn(focused);
    state.zoom(direction, aroundMs);
  };
  const zoomByKey = (direction: 1 | -1) => {
    const { from, to } = state.period.peek();
    const ms = focus.focused()?.ms ?? null;
    zoom(direction, ms !== null && ms >= from && ms <= to ? ms : null);
  };
  const stepMs = () => SPAN_MS[state.view.peek().span] * STEP_SHARE;

  const isEndedByClick = useGestures(geometry.chart, {
    pan: (byPx) => drag(byPx * geometry.msPerPx),
    settle: state.settle,
    zoom: (direction, clientX) => zoom(direction, geometry.msAt(clientX)),
  });
  useShortcuts([
    { key: '+', does: 'Zoom in', run: () => zoomByKey(1) },
    { key: '-', does: 'Zoom out', run: () => zoomByKey(-1) },
    { key: 'ArrowLeft', does: 'Earlier; on a bar: the one before', run: () => panBy(-stepMs()) },
    { key: 'ArrowRight', does: 'Later; on a bar: the next one', run: () => panBy(stepMs()) },
  ]);
  return { panBy, isEndedByClick };
}
