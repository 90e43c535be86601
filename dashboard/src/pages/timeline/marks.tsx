/** The marks of one lane. Every one is a link or a button, but only one of a lane is reached by Tab: the others by arrows. */
import type { VNode } from 'preact';
import { StateShape } from '../../parts/run-state.tsx';
import { runPath } from '../../router.tsx';
import type { LaneKind } from './lane-index.ts';
import { endOf, isUncertain, keyOf, LEAST_BAR_PX, type Mark, worstOf } from './lane-layout.ts';
import { isBad, markText } from './mark-words.ts';
import type { Period } from './view.ts';

/** Bars wider than this have room for a shape, and for a name. */
const SHAPE_PX = 22;
const NAME_PX = 80;
const DIGIT_PX = 7;

export interface Drawing {
  /** What is drawn, seen or not. */
  readonly drawn: Period;
  /** The time at the left edge of the drawing. */
  readonly origin: number;
  /** What of it is seen. */
  readonly seen: Period;
  readonly msPerPx: number;
  readonly nowMs: number;
}

interface MarksProps extends Drawing {
  readonly marks: readonly Mark[];
  readonly kind: LaneKind;
  /** The one that is reached by Tab. */
  readonly tabbed: string | null;
}

/** Not a component: what it gives is kept, and as long as it is the same nothing in it is looked at again. */
export function drawMarks({ marks, ...how }: MarksProps): VNode {
  return <div class="marks">{marks.map((mark) => drawMark(mark, how))}</div>;
}

function drawMark(mark: Mark, { kind, tabbed, ...drawing }: Omit<MarksProps, 'marks'>): VNode {
  const key = keyOf(mark);
  const common = {
    key,
    'data-mark': key,
    'aria-label': markText(mark),
    tabIndex: key === tabbed ? 0 : -1,
  };
  const box = boxOf(mark, drawing);
  const style = { left: `${box.leftPx}px`, width: `${box.widthPx}px`, top: `calc(${mark.row} * var(--row))` };
  if (mark.kind === 'group') {
    const bad = mark.runs.filter(isBad).length;
    const text = mark.cause === 'crowd' ? `+${mark.runs.length}` : String(mark.runs.length);
    return (
      <button
        {...common}
        type="button"
        class="bar group"
        data-state={worstOf(mark.runs)}
        data-bad={bad > 0}
        data-open={mark.to === null}
        style={style}
      >
        {box.widthPx > text.length * DIGIT_PX + 2 && (
          <span style={{ transform: `translateX(${box.hiddenPx}px)` }}>{text}</span>
        )}
      </button>
    );
  }
  const { run } = mark;
  return (
    <a
      {...common}
      href={runPath(run.id)}
      class="bar"
      data-run={run.id}
      data-state={run.state}
      data-uncertain={isUncertain(run)}
      data-open={mark.to === null}
      data-narrow={box.widthPx < SHAPE_PX}
      draggable={false}
      style={style}
    >
      {isUncertain(run) && run.out_of_touch_since !== null && (
        <span class="known" style={{ width: `${pxUntil(run.out_of_touch_since, mark.from, drawing)}px` }} />
      )}
      {box.widthPx - box.hiddenPx >= SHAPE_PX && (
        <span class="bar-words" style={{ transform: `translateX(${box.hiddenPx}px)` }}>
          <StateShape state={run.state} px={12} />
          {box.widthPx - box.hiddenPx >= NAME_PX && (
            <span class="bar-name">{kind === 'job' ? run.machine : run.job}</span>
          )}
        </span>
      )}
    </a>
  );
}

/** How much of what is drawn lies before a time. */
function pxUntil(time: string, from: number, { drawn, msPerPx }: Drawing): number {
  return Math.max(0, Math.round((Date.parse(time) - Math.max(from, drawn.from)) / msPerPx));
}

/** @returns how much of it lies before what is seen, too: its words begin where it comes into view */
function boxOf(mark: Mark, { drawn, origin, seen, msPerPx, nowMs }: Drawing) {
  const from = Math.max(mark.from, drawn.from);
  const to = Math.min(endOf(mark, nowMs), drawn.to);
  const widthPx = Math.max(LEAST_BAR_PX, Math.round((to - from) / msPerPx));
  // Drawn wider than it is, a mark of a moment ago would reach into the future.
  const latestPx = Math.round((nowMs - origin) / msPerPx) - widthPx;
  return {
    leftPx: Math.min(Math.round((from - origin) / msPerPx), latestPx),
    widthPx,
    hiddenPx: Math.max(0, Math.round((Math.min(seen.from, to) - from) / msPerPx)),
  };
}
