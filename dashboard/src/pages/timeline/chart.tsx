/** The lanes over time. Only those in view are drawn, and of each only what is near to the time in view. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useVirtualRows } from '../../hooks/virtual-rows.ts';
import { now } from '../../state/clock.ts';
import { Axis, Grid } from './axis.tsx';
import { useChartGeometry } from './chart-geometry.ts';
import { DrawQueue } from './draw-queue.ts';
import { drawnAround, fieldAround } from './drawn-period.ts';
import { GroupDialog } from './group-dialog.tsx';
import type { Lane, LaneKind } from './lane-index.ts';
import { LaneList } from './lane-list.tsx';
import { MarkTip } from './mark-tip.tsx';
import type { TimelineState } from './timeline-state.ts';
import { useChartMovement } from './use-chart-movement.ts';
import { useMarkAction } from './use-mark-action.ts';
import { useMarkFocus } from './use-mark-focus.ts';
import { useMarkKeys } from './use-mark-keys.ts';
import { useMarkPointing } from './use-mark-pointing.ts';
import { useMarkTip } from './use-mark-tip.ts';

const ESTIMATED_LANE_PX = 44;

interface ChartProps {
  readonly state: TimelineState;
  readonly kind: LaneKind;
  /** Those with something in the period, by name. */
  readonly lanes: readonly Lane[];
  /** Whether there may be more of them to come. */
  readonly isLoading: boolean;
}

export function Chart({ state, kind, lanes, isLoading }: ChartProps) {
  const list = useRef<HTMLUListElement | null>(null);
  const geometry = useChartGeometry(state, lanes);
  const queue = useMemo(() => new DrawQueue(), []);
  useEffect(() => () => queue.stop(), []);
  const virtual = useVirtualRows({
    count: lanes.length,
    keyOf: (index) => lanes[index]?.name ?? '',
    estimatePx: () => ESTIMATED_LANE_PX,
    list,
    overscan: 3,
    hiddenTopPx: 120,
  });
  const tip = useMarkTip(geometry);
  const focus = useMarkFocus({ state, geometry, queue, tip, revealLane: virtual.reveal });
  const action = useMarkAction(state, tip, focus);
  const movement = useChartMovement({ state, geometry, tip, focus });
  const onKeyDown = useMarkKeys({ state, geometry, tip, focus, movement });
  const pointing = useMarkPointing({ state, geometry, tip, movement, action });

  const { chart, plot, widthPx, msPerPx } = geometry;
  const period = state.period.value;
  const nowMs = now.value;
  const place = tip.place.value;
  const told = place === null ? null : geometry.markAtPlace(place);
  return (
    <section
      ref={chart}
      class="chart"
      aria-label="Runs over time"
      onKeyDown={onKeyDown}
      onPointerMove={pointing.onPointerMove}
      onPointerLeave={tip.hideSoon}
      onClick={pointing.onClick}
      onFocusIn={focus.onFocusIn}
      onFocusOut={focus.onFocusOut}
    >
      <Axis period={period} widthPx={widthPx} head={kind === 'job' ? 'Job' : 'Machine'} plot={plot} />
      <div class="chart-body">
        <Grid period={period} widthPx={widthPx} nowMs={nowMs} />
        {/* Signals are read here, not in the list: what its lanes leave to the queue is begun after this was rendered. */}
        <LaneList
          list={list}
          lanes={lanes}
          layoutOf={geometry.layoutOf}
          virtual={virtual}
          isMeasured={widthPx > 0}
          isLoading={isLoading}
          cursor={focus.cursor.value}
          kind={kind}
          period={period}
          settled={state.settledPeriod.value}
          drawn={drawnAround(period)}
          field={fieldAround(period)}
          queue={queue}
          msPerPx={msPerPx}
          nowMs={nowMs}
        />
      </div>
      {place !== null && told !== null && (
        <MarkTip
          mark={told}
          place={place}
          chartPx={chart.current?.clientWidth ?? 0}
          action={action.textOf(told)}
          act={() => action.act(place.lane, told)}
        />
      )}
      {action.listed.value !== null && <GroupDialog runs={action.listed.value} close={action.closeList} />}
    </section>
  );
}
