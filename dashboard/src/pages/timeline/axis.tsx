import type { RefObject } from 'preact';
import { daysOf, ticksOf } from './time-axis.ts';
import type { Period } from './view.ts';

/** Room that a time takes with what is around it. */
const TICK_PX = 64;
/** What is written of it. */
const TICK_TEXT_PX = 44;
/** A day is named where there is room for its name, whole or short, or for its date at least: a week has two Mondays. */
const DAY_PX = 92;
const SHORT_DAY_PX = 56;
const DATE_PX = 26;

interface AxisProps {
  readonly period: Period;
  readonly widthPx: number;
  /** What the lanes are. */
  readonly head: string;
  readonly plot: RefObject<HTMLDivElement | null>;
}

/** Days above, times below, by the clock of whoever looks. */
export function Axis({ period, widthPx, head, plot }: AxisProps) {
  const pxOf = (at: number) => ((at - period.from) / (period.to - period.from)) * widthPx;
  return (
    <div class="axis">
      <div class="axis-head">{head}</div>
      <div class="axis-plot" ref={plot} aria-hidden="true">
        {widthPx > 0 &&
          daysOf(period).map((day) => {
            const dayPx = pxOf(day.to) - pxOf(day.from);
            return (
              <span key={day.label} class="axis-day" style={{ left: `${pxOf(day.from)}px`, width: `${dayPx}px` }}>
                {dayPx >= DAY_PX ? day.label : dayPx >= SHORT_DAY_PX ? day.short : dayPx >= DATE_PX && day.date}
              </span>
            );
          })}
        {ticksOf(period, widthPx / TICK_PX)
          .filter(({ at }) => pxOf(at) + TICK_TEXT_PX <= widthPx)
          .map(({ at, label }) => (
            <span key={at} class="axis-tick" style={{ transform: `translateX(${pxOf(at)}px)` }}>
              {label}
            </span>
          ))}
      </div>
    </div>
  );
}

interface GridProps {
  readonly period: Period;
  readonly widthPx: number;
  readonly nowMs: number;
}

/** The same times behind the lanes, and where now is. */
export function Grid({ period, widthPx, nowMs }: GridProps) {
  const pxOf = (at: number) => ((at - period.from) / (period.to - period.from)) * widthPx;
  return (
    <div class="time-grid" aria-hidden="true">
      {ticksOf(period, widthPx / TICK_PX).map(({ at, isMidnight }) => (
        <span
          key={at}
          class={isMidnight ? 'time-line midnight' : 'time-line'}
          style={{ transform: `translateX(${pxOf(at)}px)` }}
        />
      ))}
      {nowMs <= period.to && (
        <span key="now" class="time-line now" style={{ transform: `translateX(${pxOf(nowMs)}px)` }} />
      )}
    </div>
  );
}
