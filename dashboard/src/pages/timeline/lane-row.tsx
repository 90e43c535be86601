import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { countText } from '../../format/quantity.ts';
import { jobPath, Link } from '../../router.tsx';
import type { DrawQueue } from './draw-queue.ts';
import type { Lane, LaneKind } from './lane-index.ts';
import { keyOf, type LaneLayout, marksWithin, rowsOf } from './lane-layout.ts';
import { LaneMarks } from './lane-marks.ts';
import type { Period } from './view.ts';

export interface LaneRowProps {
  readonly lane: Lane;
  readonly layout: LaneLayout;
  readonly kind: LaneKind;
  /** What is seen at this moment, before a movement that is under way, and what is drawn, with what is near. */
  readonly period: Period;
  readonly settled: Period;
  readonly drawn: Period;
  /** What there is room for in the drawing. */
  readonly field: Period;
  readonly queue: DrawQueue;
  readonly msPerPx: number;
  readonly nowMs: number;
  /** The mark that had the focus last, if it is in this lane. */
  readonly cursor: string | null;
}

/** A job or a machine, and its runs. While it is moved nothing is drawn anew: what is drawn is pushed aside. */
export function LaneRow(props: LaneRowProps) {
  const { lane, layout, kind, period, settled, drawn, field, queue, msPerPx, nowMs, cursor } = props;
  const seen = useMemo(() => marksWithin(layout.marks, settled), [layout, settled.from, settled.to]);
  const tabbed = seen.find((mark) => keyOf(mark) === cursor) ?? seen.at(-1);
  const tabbedKey = tabbed === undefined ? null : keyOf(tabbed);
  // Only what is still going on grows, by a pixel at a time.
  const isGrowing = seen.some(({ to }) => to === null);
  const grownPx = isGrowing ? Math.floor(nowMs / msPerPx) : 0;
  // Words begin where their bar comes into view: that is looked at again by steps, not every second.
  const seenStep = Math.floor(settled.from / msPerPx / 8);
  const box = useRef<HTMLDivElement | null>(null);
  const marks = useRef<LaneMarks | null>(null);
  useLayoutEffect(() => {
    if (box.current === null) return;
    marks.current ??= new LaneMarks(box.current);
    marks.current.show({
      marks: layout.marks,
      kind,
      drawn,
      seen: period,
      seenFrom: settled.from,
      field,
      msPerPx,
      nowMs,
      tabbed: tabbedKey,
    });
    queue.add(marks.current);
  }, [layout, kind, drawn.from, drawn.to, field.from, msPerPx, grownPx, seenStep, tabbedKey]);
  useLayoutEffect(
    () => () => {
      if (marks.current !== null) queue.remove(marks.current);
    },
    [],
  );
  const runs = useMemo(() => seen.reduce((sum, mark) => sum + (mark.kind === 'run' ? 1 : mark.runs.length), 0), [seen]);
  // Whole: between two pixels words are blurred.
  const asidePx = Math.round((field.from - period.from) / msPerPx);
  return (
    <article class="lane" data-lane={lane.name}>
      <h2 class="lane-head">
        <Link to={kind === 'job' ? jobPath(lane.name) : `/?q=machine:${lane.name}`} class="lane-name" title={lane.name}>
          {lane.name}
        </Link>
      </h2>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame that says nothing more */}
      <div
        class="plot"
        data-plot
        role="group"
        aria-label={`${countText(runs, 'run')} ${kind === 'job' ? 'of' : 'on'} ${lane.name}`}
        style={{ height: `calc(${rowsOf(seen)} * var(--row) + var(--lane-gap))` }}
      >
        <div ref={box} class="moved" style={{ transform: `translateX(${asidePx}px)` }} />
      </div>
    </article>
  );
}
