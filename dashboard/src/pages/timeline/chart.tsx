/** The lanes over time. Only those in view are drawn, and of each only what is near to the time in view. */
import { useSignal } from '@preact/signals';
import type { TargetedFocusEvent, TargetedKeyboardEvent, TargetedMouseEvent, TargetedPointerEvent } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useListCursor } from '../../keyboard/list-cursor.ts';
import { useShortcuts } from '../../keyboard/shortcuts.ts';
import { useVirtualRows } from '../../parts/virtual-rows.ts';
import { navigate, runPath } from '../../router.tsx';
import { now } from '../../state/clock.ts';
import { Axis, Grid } from './axis.tsx';
import { DrawQueue } from './draw-queue.ts';
import { useGestures } from './gestures.ts';
import { GroupDialog } from './group-dialog.tsx';
import type { Lane, LaneKind } from './lane-index.ts';
import { keyOf, type LaneLayout, layOut, type Mark, markAt, markNear, marksWithin } from './lane-layout.ts';
import { LaneRow } from './lane-row.tsx';
import { MarkTip, type TipPlace } from './mark-tip.tsx';
import { startsOf } from './mark-words.ts';
import type { TimelineState } from './timeline-state.ts';
import { framing, type Period, SPAN_MS } from './view.ts';

const ESTIMATED_LANE_PX = 44;
/** Live, the chart ends a little after now: what runs would touch the edge otherwise. */
const AFTER_NOW_PX = 12;
/** How far from a mark it may be pointed at. A finger hides what it points at. */
const REACH_PX = 10;
const FINGER_REACH_PX = 22;
/** What is told of a mark needs so much room below it. */
const TIP_PX = 190;
const HIDE_TIP_MS = 180;

interface ChartProps {
  readonly state: TimelineState;
  readonly kind: LaneKind;
  /** Those with something in the period, by name. */
  readonly lanes: readonly Lane[];
}

/** What is to get the focus, once it is drawn: a mark, or the one nearest to a time. */
interface Wanted {
  readonly lane: string;
  readonly mark: string | null;
  readonly ms: number;
}

export function Chart({ state, kind, lanes }: ChartProps) {
  const chart = useRef<HTMLElement | null>(null);
  const list = useRef<HTMLUListElement | null>(null);
  const plot = useRef<HTMLDivElement | null>(null);
  const widthPx = useWidth(plot) - AFTER_NOW_PX;
  const period = state.period.value;
  const settled = state.settledPeriod.value;
  const nowMs = now.value;
  const { span } = state.view.value;
  const msPerPx = SPAN_MS[span] / Math.max(1, widthPx);
  const drawn = drawnAround(period);
  const field = fieldAround(period);
  const queue = useMemo(() => new DrawQueue(), []);
  useEffect(() => () => queue.stop(), []);
  const layoutOf = useLayouts(msPerPx);

  const tip = useSignal<TipPlace | null>(null);
  const listed = useSignal<Extract<Mark, { kind: 'group' }> | null>(null);
  const cursor = useSignal<Wanted | null>(null);
  const wanted = useRef<Wanted | null>(null);
  const hiding = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const virtual = useVirtualRows({
    count: lanes.length,
    keyOf: (index) => lanes[index]?.name ?? '',
    estimatePx: () => ESTIMATED_LANE_PX,
    list,
    overscan: 3,
    hiddenTopPx: 120,
  });

  const laneNamed = (name: string) => lanes.find((lane) => lane.name === name);
  const markOf = (lane: string, key: string): Mark | null => {
    const found = laneNamed(lane);
    return (found && layoutOf(found).marks.find((mark) => keyOf(mark) === key)) ?? null;
  };
  const msAt = (clientX: number) => {
    const left = plot.current?.getBoundingClientRect().left ?? 0;
    return state.period.peek().from + (clientX - left) * msPerPx;
  };

  const showTip = (lane: string, mark: Mark, isByTouch = false) => {
    clearTimeout(hiding.current);
    const element = elementOf(chart.current, lane, keyOf(mark));
    const frame = chart.current?.getBoundingClientRect();
    const track = plot.current?.getBoundingClientRect();
    if (element === null || frame === undefined || track === undefined) return;
    const box = element.getBoundingClientRect();
    const [left, right] = [Math.max(box.left, track.left), Math.min(box.right, track.right)];
    const isAbove = innerHeight - box.bottom < TIP_PX && box.top > TIP_PX;
    tip.value = {
      lane,
      mark: keyOf(mark),
      leftPx: (left + right) / 2 - frame.left,
      edgePx: (isAbove ? box.top - 6 : box.bottom + 6) - frame.top,
      isAbove,
      isByTouch,
    };
  };
  const hideTip = () => {
    clearTimeout(hiding.current);
    tip.value = null;
  };
  const hideTipSoon = () => {
    clearTimeout(hiding.current);
    hiding.current = setTimeout(hideTip, HIDE_TIP_MS);
  };

  const act = (lane: string, mark: Mark) => {
    hideTip();
    if (mark.kind === 'run') {
      navigate(runPath(mark.run.id));
      return;
    }
    const closer = mark.cause === 'short' ? framing(state.view.peek(), startsOf(mark.runs), now.peek()) : null;
    if (closer === null) {
      listed.value = mark;
      return;
    }
    wanted.current = { lane, mark: null, ms: mark.from };
    state.show(closer);
  };
  const actionOf = (mark: Mark) => {
    if (mark.kind === 'run') return 'Open the run';
    return mark.cause === 'short' && framing(state.view.value, startsOf(mark.runs), nowMs) !== null
      ? 'Zoom in'
      : 'List the runs';
  };

  // Where the focus is, and where it is to go.
  const focusWanted = () => {
    const to = wanted.current;
    const lane = to === null ? undefined : laneNamed(to.lane);
    if (to === null || lane === undefined) return;
    const seen = marksWithin(layoutOf(lane).marks, state.settledPeriod.peek());
    const mark = seen.find((each) => keyOf(each) === to.mark) ?? markNear(seen, to.ms);
    const element = mark === null ? null : elementOf(chart.current, to.lane, keyOf(mark));
    if (mark === null || element === null) return;
    wanted.current = null;
    element.focus({ preventScroll: true });
    showTip(to.lane, mark);
  };
  const focus = (to: Wanted) => {
    wanted.current = to;
    virtual.reveal(lanes.findIndex(({ name }) => name === to.lane));
    focusWanted();
  };
  const focused = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    // What had the focus has become part of another mark.
    const last = cursor.peek();
    if (focused.current !== null && !focused.current.isConnected && document.activeElement === document.body) {
      focused.current = null;
      if (last !== null) wanted.current ??= last;
    }
    // After the lanes, which say what they want drawn.
    queue.onDrawn = focusWanted;
    queue.start();
    focusWanted();
  });
  const zoomAround = () => {
    const at = cursor.peek();
    const { from, to } = state.period.peek();
    return focused.current?.isConnected === true && at !== null && at.ms >= from && at.ms <= to ? at.ms : null;
  };
  const zoom = (direction: 1 | -1, around: number | null) => {
    hideTip();
    const at = cursor.peek();
    if (focused.current?.isConnected === true && at !== null) wanted.current = at;
    state.zoom(direction, around);
  };
  const pan = (byMs: number) => {
    hideTip();
    state.drag(byMs);
  };

  const isMove = useGestures(chart, {
    pan: (byPx) => pan(byPx * msPerPx),
    settle: state.settle,
    zoom: (direction, clientX) => zoom(direction, msAt(clientX)),
  });
  const step = (direction: 1 | -1) => {
    pan((direction * SPAN_MS[span]) / 4);
    state.settle();
  };
  useShortcuts([
    { key: '+', does: 'Zoom in', run: () => zoom(1, zoomAround()) },
    { key: '-', does: 'Zoom out', run: () => zoom(-1, zoomAround()) },
    { key: 'ArrowLeft', does: 'Earlier; on a bar: the one before', run: () => step(-1) },
    { key: 'ArrowRight', does: 'Later; on a bar: the next one', run: () => step(1) },
  ]);
  const currentLane = () => {
    const name = document.activeElement?.closest<HTMLElement>('[data-lane]')?.dataset.lane ?? cursor.peek()?.lane;
    return lanes.findIndex((lane) => lane.name === name);
  };
  const focusLane = (index: number) => {
    const lane = lanes[index];
    if (lane !== undefined) {
      focus({ lane: lane.name, mark: null, ms: cursor.peek()?.ms ?? state.period.peek().to });
    }
  };
  useListCursor({ count: lanes.length, current: currentLane, focus: focusLane, item: 'lane' });

  /** Along the lane, also to what is out of view. */
  const focusMark = (lane: Lane, mark: Mark | undefined) => {
    if (mark === undefined) return;
    const { from, to } = state.settledPeriod.peek();
    const isSeen = marksWithin([mark], { from, to }).length > 0;
    if (!isSeen) {
      pan(mark.from - (from + to) / 2);
      state.settle();
    }
    focus({ lane: lane.name, mark: keyOf(mark), ms: mark.from });
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && tip.value !== null) {
      hideTip();
      event.preventDefault();
      return;
    }
    const at = placeOf(event.target);
    const lane = at === null ? undefined : laneNamed(at.lane);
    if (at === null || lane === undefined) return;
    const { marks } = layoutOf(lane);
    const index = marks.findIndex((mark) => keyOf(mark) === at.mark);
    switch (event.key) {
      case 'ArrowLeft':
        focusMark(lane, marks[index - 1]);
        break;
      case 'ArrowRight':
        focusMark(lane, marks[index + 1]);
        break;
      case 'ArrowUp':
        focusLane(Math.max(0, lanes.indexOf(lane) - 1));
        break;
      case 'ArrowDown':
        focusLane(Math.min(lanes.length - 1, lanes.indexOf(lane) + 1));
        break;
      case 'Home':
        focusMark(lane, marks[0]);
        break;
      case 'End':
        focusMark(lane, marks.at(-1));
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  /** The mark that is pointed at, or one near by. */
  const pointedAt = (event: PointerEvent | MouseEvent, reachPx: number) => {
    const { target } = event;
    if (!(target instanceof Element) || target.closest('[data-plot]') === null) return null;
    const element = target.closest<HTMLElement>('[data-lane]');
    const lane = element === null ? undefined : laneNamed(element.dataset.lane ?? '');
    const frame = target.closest('[data-plot]')?.getBoundingClientRect();
    if (lane === undefined || frame === undefined) return null;
    const direct = placeOf(target);
    const rowPx = rowHeightPx(chart.current);
    const mark =
      direct === null
        ? markAt(
            marksWithin(layoutOf(lane).marks, state.period.peek()),
            { ms: msAt(event.clientX), row: (event.clientY - frame.top) / rowPx },
            { ms: reachPx * msPerPx, rows: reachPx / rowPx, nowMs: now.peek() },
          )
        : markOf(lane.name, direct.mark);
    return mark === null ? null : { lane: lane.name, mark };
  };
  const onPointerMove = (event: TargetedPointerEvent<HTMLElement>) => {
    if (event.pointerType === 'touch' || event.buttons !== 0) return;
    const at = pointedAt(event, REACH_PX);
    if (at === null) {
      // It is not in the way of what it lies on, but where that is nothing it can be read with the pointer on it.
      if (isOver(chart.current?.querySelector('.tip') ?? null, event)) clearTimeout(hiding.current);
      else if (tip.value !== null) hideTipSoon();
    } else if (tip.value?.mark !== keyOf(at.mark) || tip.value.lane !== at.lane) {
      showTip(at.lane, at.mark);
    } else {
      clearTimeout(hiding.current);
    }
  };
  const onClick = (event: TargetedMouseEvent<HTMLElement>) => {
    if (event.target instanceof Element && event.target.closest('.tip, .lane-head') !== null) return;
    if (isMove()) {
      event.preventDefault();
      return;
    }
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const isTouch = event instanceof PointerEvent && event.pointerType === 'touch';
    const at = pointedAt(event, isTouch ? FINGER_REACH_PX : REACH_PX);
    event.preventDefault();
    if (at === null) hideTip();
    else if (isTouch && tip.value?.mark !== keyOf(at.mark)) showTip(at.lane, at.mark, true);
    else act(at.lane, at.mark);
  };
  const onFocusIn = (event: TargetedFocusEvent<HTMLElement>) => {
    const at = placeOf(event.target);
    const mark = at === null ? null : markOf(at.lane, at.mark);
    if (at === null || mark === null || !(event.target instanceof HTMLElement)) return;
    focused.current = event.target;
    cursor.value = { ...at, ms: mark.from };
    if (event.target.matches(':focus-visible')) showTip(at.lane, mark);
  };
  const onFocusOut = (event: TargetedFocusEvent<HTMLElement>) => {
    const left = event.target;
    hideTipSoon();
    // What is taken away loses the focus as well, and is still there while it does.
    queueMicrotask(() => {
      if (left instanceof HTMLElement && left.isConnected && focused.current === left) focused.current = null;
    });
  };

  const place = tip.value;
  const told = place === null ? null : markOf(place.lane, place.mark);
  return (
    <section
      ref={chart}
      class="chart"
      aria-label="Runs over time"
      onKeyDown={onKeyDown}
      onPointerMove={onPointerMove}
      onPointerLeave={hideTipSoon}
      onClick={onClick}
      onFocusIn={onFocusIn}
      onFocusOut={onFocusOut}
    >
      <Axis period={period} widthPx={widthPx} head={kind === 'job' ? 'Job' : 'Machine'} plot={plot} />
      <div class="chart-body">
        <Grid period={period} widthPx={widthPx} nowMs={nowMs} />
        <ul
          ref={list}
          class="lanes"
          aria-label={kind === 'job' ? 'Jobs' : 'Machines'}
          style={{ height: `${virtual.totalPx}px` }}
        >
          {widthPx > 0 &&
            virtual.rows.map((item) => {
              const lane = lanes[item.index];
              if (lane === undefined) return null;
              return (
                <li
                  key={item.key}
                  ref={virtual.measure}
                  data-index={item.index}
                  class="lane-place"
                  aria-setsize={lanes.length}
                  aria-posinset={item.index + 1}
                  style={{ transform: `translateY(${virtual.topPx(item)}px)` }}
                >
                  <LaneRow
                    lane={lane}
                    layout={layoutOf(lane)}
                    kind={kind}
                    period={period}
                    settled={settled}
                    drawn={drawn}
                    field={field}
                    queue={queue}
                    msPerPx={msPerPx}
                    nowMs={nowMs}
                    cursor={cursor.value?.lane === lane.name ? cursor.value.mark : null}
                  />
                </li>
              );
            })}
        </ul>
      </div>
      {place !== null && told !== null && (
        <MarkTip
          mark={told}
          place={place}
          chartPx={chart.current?.clientWidth ?? 0}
          action={actionOf(told)}
          act={() => act(place.lane, told)}
        />
      )}
      {listed.value !== null && (
        <GroupDialog
          runs={listed.value.runs}
          close={() => {
            listed.value = null;
          }}
        />
      )}
    </section>
  );
}

/** A quarter more on either side, and no other while it is moved within that: moving draws nothing anew. */
function drawnAround({ from, to }: Period): Period {
  const quarter = (to - from) / 4;
  const start = (Math.floor(from / quarter) - 1) * quarter;
  return { from: start, to: start + 7 * quarter };
}

/** The edges of the drawing. Far away, so that what is drawn stays where it is when more is drawn. */
function fieldAround({ from, to }: Period): Period {
  const far = (to - from) * 64;
  const start = (Math.floor(from / far) - 1) * far;
  return { from: start, to: start + 3 * far };
}

/** Kept for each lane as long as it and the scale are the same. */
function useLayouts(msPerPx: number): (lane: Lane) => LaneLayout {
  const kept = useRef(new WeakMap<Lane, { readonly msPerPx: number; readonly layout: LaneLayout }>());
  return (lane) => {
    const known = kept.current.get(lane);
    if (known?.msPerPx === msPerPx) return known.layout;
    const layout = layOut(lane, msPerPx);
    kept.current.set(lane, { msPerPx, layout });
    return layout;
  };
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [widthPx, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    setWidth(current.clientWidth);
    return () => observer.disconnect();
  }, []);
  return widthPx;
}

function elementOf(chart: HTMLElement | null, lane: string, mark: string): HTMLElement | null {
  return (
    chart?.querySelector<HTMLElement>(`[data-lane="${CSS.escape(lane)}"] [data-mark="${CSS.escape(mark)}"]`) ?? null
  );
}

function placeOf(target: EventTarget | null): { readonly lane: string; readonly mark: string } | null {
  if (!(target instanceof Element)) return null;
  const mark = target.closest<HTMLElement>('[data-mark]')?.dataset.mark;
  const lane = target.closest<HTMLElement>('[data-lane]')?.dataset.lane;
  return mark === undefined || lane === undefined ? null : { lane, mark };
}

function isOver(element: Element | null, { clientX, clientY }: PointerEvent): boolean {
  if (element === null) return false;
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
}

function rowHeightPx(chart: HTMLElement | null): number {
  const text = chart === null ? '' : getComputedStyle(chart).getPropertyValue('--row');
  return Number.parseFloat(text) || 1;
}
