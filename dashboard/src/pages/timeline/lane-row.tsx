import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { countText } from '../../format/quantity.ts';
import { jobPath, Link, machinePath } from '../../router.tsx';
import type { DrawQueue } from './draw-queue.ts';
import { type Drawing, LaneBars } from './lane-bars.tsx';
import type { Lane, LaneKind } from './lanes.ts';
import { type Bar, keyOf, rowsOf } from './layout.ts';
import { overlaps, type Period } from './view.ts';

/** Labels follow the left edge of the view by steps of this many pixels, not every second. */
const LABEL_STEP_PX = 8;

export interface LaneRowProps {
  readonly lane: Lane;
  readonly bars: readonly Bar[];
  readonly kind: LaneKind;
  /** What is in view at this moment; the same without a drag that isn't over; and what is drawn, with what is near. */
  readonly period: Period;
  readonly settled: Period;
  readonly drawn: Period;
  readonly originMs: number;
  readonly msPerPx: number;
  readonly nowMs: number;
  readonly queue: DrawQueue<Drawing>;
  /** The bar that had the focus last, if it is in this lane. */
  readonly cursor: string | null;
}

/** A job or a machine, and its runs. A drag draws nothing again: it moves the box that the bars are in. */
export function LaneRow(props: LaneRowProps) {
  const { lane, bars, kind, period, settled, drawn, originMs, msPerPx, nowMs, queue, cursor } = props;
  const seen = useMemo(() => bars.filter((bar) => overlaps(bar, settled)), [bars, settled.from, settled.to]);
  const keys = useMemo(() => seen.map(keyOf), [seen]);
  const tabStop = cursor !== null && keys.includes(cursor) ? cursor : (keys.at(-1) ?? null);
  const growingPx = seen.some(({ to }) => to === null) ? Math.floor(nowMs / msPerPx) : 0;
  const labelStep = Math.floor(settled.from / msPerPx / LABEL_STEP_PX);
  const box = useRef<HTMLDivElement | null>(null);
  const drawer = useRef<LaneBars | null>(null);
  useLayoutEffect(() => {
    if (box.current === null) return;
    drawer.current ??= new LaneBars(box.current);
    const near = bars.filter((bar) => overlaps(bar, drawn));
    queue.add(drawer.current, { bars: near, kind, originMs, msPerPx, nowMs, viewFrom: settled.from, tabStop });
  }, [bars, kind, drawn.from, drawn.to, originMs, msPerPx, growingPx, labelStep, tabStop]);
  useLayoutEffect(
    () => () => {
      if (drawer.current !== null) queue.remove(drawer.current);
    },
    [],
  );
  const count = useMemo(() => seen.reduce((sum, { runs }) => sum + runs.length, 0), [seen]);
  // A whole number: between two pixels text is blurred.
  const asidePx = Math.round((originMs - period.from) / msPerPx);
  return (
    <article class="lane" data-lane={lane.name}>
      <h2 class="lane-head">
        <Link to={kind === 'job' ? jobPath(lane.name) : machinePath(lane.name)} class="lane-name" title={lane.name}>
          {lane.name}
        </Link>
      </h2>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div
        class="plot"
        data-plot
        role="group"
        aria-label={`${countText(count, 'run')} ${kind === 'job' ? 'of' : 'on'} ${lane.name}`}
        style={{ height: `calc(${rowsOf(seen)} * var(--row) + var(--lane-gap))` }}
      >
        <div ref={box} class="moved" style={{ transform: `translateX(${asidePx}px)` }} />
      </div>
    </article>
  );
}
