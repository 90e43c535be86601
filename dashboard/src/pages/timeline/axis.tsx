import type { RefObject } from 'preact';
import { type Day, daysOf, type Tick, ticksOf } from './time-axis.ts';
import type { Period } from './view.ts';

/** Room for a tick with the space around it, and for its label. */
const TICK_PX = 64;
const LABEL_PX = 44;
/** A day has its name where there is room, whole or short, or its date at least: a week has two Mondays. */
const DAY_PX = 92;
const SHORT_DAY_PX = 56;
const DATE_PX = 26;

interface ScaleProps {
  readonly period: Period;
  readonly widthPx: number;
}

interface AxisProps extends ScaleProps {
  readonly head: string;
  readonly plot: RefObject<HTMLDivElement | null>;
}

/** Days above, times below, by the reader's clock. */
export function Axis({ period, widthPx, head, plot }: AxisProps) {
  const pxOf = pxWithin({ period, widthPx });
  return (
    <div class="axis">
      <div class="axis-head">{head}</div>
      <div class="axis-plot" ref={plot} aria-hidden="true">
        {widthPx > 0 &&
          daysOf(period).map((day) => {
            const dayPx = pxOf(day.to) - pxOf(day.from);
            return (
              <span key={day.label} class="axis-day" style={{ left: `${pxOf(day.from)}px`, width: `${dayPx}px` }}>
                {dayLabel(day, dayPx)}
              </span>
            );
          })}
        {ticksWithin({ period, widthPx })
          .filter(({ at }) => pxOf(at) + LABEL_PX <= widthPx)
          .map(({ at, label }) => (
            <span key={at} class="axis-tick" style={{ transform: `translateX(${pxOf(at)}px)` }}>
              {label}
            </span>
          ))}
      </div>
    </div>
  );
}

/** The same times behind the lanes, and where now is. */
export function Grid({ period, widthPx, nowMs }: ScaleProps & { readonly nowMs: number }) {
  const pxOf = pxWithin({ period, widthPx });
  const line = (at: number, kind: string, key: string | number = at) => (
    <span key={key} class={`time-line ${kind}`} style={{ transform: `translateX(${pxOf(at)}px)` }} />
  );
  return (
    <div class="time-grid" aria-hidden="true">
      {ticksWithin({ period, widthPx }).map(({ at, isMidnight }) => line(at, isMidnight ? 'midnight' : ''))}
      {nowMs <= period.to && line(nowMs, 'now', 'now')}
    </div>
  );
}

function ticksWithin({ period, widthPx }: ScaleProps): Tick[] {
  return ticksOf(period, widthPx / TICK_PX);
}

function pxWithin({ period: { from, to }, widthPx }: ScaleProps): (at: number) => number {
  return (at) => ((at - from) / (to - from)) * widthPx;
}

function dayLabel({ label, short, date }: Day, widthPx: number): string {
  if (widthPx >= DAY_PX) return label;
  if (widthPx >= SHORT_DAY_PX) return short;
  return widthPx >= DATE_PX ? date : '';
}
