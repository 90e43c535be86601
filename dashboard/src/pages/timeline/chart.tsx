/** The lanes over time. Only those in view are drawn, and of each only what is near to the period in view. */
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useScrollRestoration } from '../../hooks/scroll-restoration.ts';
import { useVirtualRows, type VirtualRows } from '../../hooks/virtual-rows.ts';
import { now } from '../../state/clock.ts';
import { Axis, Grid } from './axis.tsx';
import { BarTip, useTip } from './bar-tip.tsx';
import { useChartGeometry } from './chart-geometry.ts';
import { DrawQueue } from './draw-queue.ts';
import { GroupDialog } from './group-dialog.tsx';
import type { Drawing } from './lane-bars.tsx';
import { LaneRow, type LaneRowProps } from './lane-row.tsx';
import type { Lane, LaneKind } from './lanes.ts';
import type { Bar } from './layout.ts';
import { type FocusTarget, useBarFocus } from './use-bar-focus.ts';
import { useBarPress } from './use-bar-press.ts';
import { useChartKeys } from './use-chart-keys.ts';
import { useGestures } from './use-gestures.ts';
import type { ViewControl } from './use-view.ts';
import type { Period } from './view.ts';

const ESTIMATED_LANE_PX = 44;

interface ChartProps {
  readonly control: ViewControl;
  readonly kind: LaneKind;
  /** Those with a run in the period, by name. */
  readonly lanes: readonly Lane[];
  /** Whether more of them may come. */
  readonly isLoading: boolean;
}

export function Chart({ control, kind, lanes, isLoading }: ChartProps) {
  const list = useRef<HTMLUListElement | null>(null);
  const queue = useMemo(() => new DrawQueue<Drawing>(), []);
  useEffect(() => () => queue.stop(), []);
  const virtual = useVirtualRows({
    count: lanes.length,
    keyOf: (index) => lanes[index]?.name ?? '',
    estimatePx: () => ESTIMATED_LANE_PX,
    list,
    overscan: 3,
    hiddenTopPx: 120,
  });
  const geometry = useChartGeometry(control, lanes);
  const { chart, plot, widthPx, msPerPx } = geometry;
  const tip = useTip(geometry, control.view.value);
  const focus = useBarFocus(control, geometry, queue, tip);
  const onKeyDown = useChartKeys({ control, geometry, focus, tip, revealLane: virtual.reveal });
  const { hasMoved, handlers } = useGestures({
    pan: (byPx) => control.drag(byPx * msPerPx),
    settle: control.settle,
    zoom: (direction, clientX) => control.zoom(direction, geometry.msAt(clientX)),
  });
  const { press, listed, closeList, onPointerMove, onClick } = useBarPress(geometry, tip, hasMoved);

  const period = control.period.value;
  const nowMs = now.value;
  const originMs = useMemo(() => period.from, [msPerPx]);
  const position = tip.shown.value;
  const pointed = position === null ? null : geometry.barAt(position);
  return (
    <section
      ref={chart}
      class="chart"
      aria-label="Runs over time"
      {...handlers}
      onKeyDown={onKeyDown}
      onPointerMove={(event) => {
        handlers.onPointerMove(event);
        onPointerMove(event);
      }}
      onPointerLeave={tip.hideSoon}
      onClick={onClick}
      onFocusIn={focus.onFocusIn}
      onFocusOut={focus.onFocusOut}
    >
      <Axis period={period} widthPx={widthPx} head={kind === 'job' ? 'Job' : 'Machine'} plot={plot} />
      <div class="chart-body">
        <Grid period={period} widthPx={widthPx} nowMs={nowMs} />
        <LaneList
          list={list}
          lanes={lanes}
          barsOf={geometry.barsOf}
          virtual={virtual}
          isMeasured={widthPx > 0}
          isLoading={isLoading}
          cursor={focus.cursor.value}
          kind={kind}
          period={period}
          settled={control.settledPeriod.value}
          drawn={drawnAround(period)}
          originMs={originMs}
          msPerPx={msPerPx}
          nowMs={nowMs}
          queue={queue}
        />
      </div>
      {position !== null && pointed !== null && (
        <BarTip bar={pointed} position={position} press={() => press(pointed)} />
      )}
      {listed.value !== null && <GroupDialog runs={listed.value} close={closeList} />}
    </section>
  );
}

interface LaneListProps extends Omit<LaneRowProps, 'lane' | 'bars' | 'cursor'> {
  readonly list: RefObject<HTMLUListElement | null>;
  readonly lanes: readonly Lane[];
  barsOf(lane: Lane): readonly Bar[];
  readonly virtual: VirtualRows;
  readonly isMeasured: boolean;
  readonly isLoading: boolean;
  readonly cursor: FocusTarget | null;
}

function LaneList({ list, lanes, barsOf, virtual, isMeasured, isLoading, cursor, ...shared }: LaneListProps) {
  const names = lanes.map(({ name }) => name);
  useScrollRestoration({
    keys: isMeasured ? names : [],
    within: list,
    startPx: (name) => virtual.startPx(names.indexOf(name)),
    isComplete: isMeasured && !isLoading,
  });
  return (
    <ul
      ref={list}
      class="lanes"
      aria-label={shared.kind === 'job' ? 'Jobs' : 'Machines'}
      style={{ height: `${virtual.totalPx}px` }}
    >
      {(isMeasured ? virtual.rows : []).map((item) => {
        const lane = lanes[item.index];
        return (
          lane !== undefined && (
            <li
              key={item.key}
              ref={virtual.measure}
              data-index={item.index}
              data-row-key={lane.name}
              class="lane-place"
              aria-setsize={lanes.length}
              aria-posinset={item.index + 1}
              style={{ transform: `translateY(${virtual.topPx(item)}px)` }}
            >
              <LaneRow
                {...shared}
                lane={lane}
                bars={barsOf(lane)}
                cursor={cursor?.lane === lane.name ? cursor.bar : null}
              />
            </li>
          )
        );
      })}
    </ul>
  );
}

/** A quarter more on either side, and the same while the period moves within that: small movements draw nothing. */
function drawnAround({ from, to }: Period): Period {
  const quarter = (to - from) / 4;
  const start = (Math.floor(from / quarter) - 1) * quarter;
  return { from: start, to: start + 7 * quarter };
}
