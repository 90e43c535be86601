/** Where times are marked and how they are written, by the clock of whoever looks. Pure. */
import { timeFormat } from '../../format/time-format.ts';
import type { Period } from './view.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MINUTES = 24 * 60;
const STEPS_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, DAY_MINUTES];

export interface Tick {
  readonly at: number;
  /** `14:00`. */
  readonly label: string;
  readonly isMidnight: boolean;
}

/** A stretch of one day, from its midnight or the beginning of the period on. */
export interface Day {
  readonly from: number;
  readonly to: number;
  /** `Mon 23 Nov`. */
  readonly label: string;
  /** `Mon 23`. */
  readonly short: string;
  /** `23`. */
  readonly date: string;
}

/** @param most as many as there is room for */
export function ticksOf({ from, to }: Period, most: number): Tick[] {
  const stepMinutes = STEPS_MINUTES.find((minutes) => (to - from) / (minutes * MINUTE_MS) <= most) ?? DAY_MINUTES;
  const ticks: Tick[] = [];
  for (let day = midnightBefore(from); day < to; day = dayAfter(day)) {
    for (const at of stepsOfDay(day, stepMinutes)) {
      if (at >= from && at <= to) ticks.push({ at, label: minuteText(at), isMidnight: at === day });
    }
  }
  return ticks;
}

export function daysOf({ from, to }: Period): Day[] {
  const days: Day[] = [];
  for (let day = midnightBefore(from); day < to; day = dayAfter(day)) {
    days.push({
      from: Math.max(from, day),
      to: Math.min(to, dayAfter(day)),
      label: dayText(day),
      short: `${WEEKDAY.format(day)} ${new Date(day).getDate()}`,
      date: String(new Date(day).getDate()),
    });
  }
  return days;
}

/** On days on which clocks are changed some times come twice, and others never. */
function* stepsOfDay(midnight: number, stepMinutes: number): Generator<number> {
  const next = dayAfter(midnight);
  if (stepMinutes * MINUTE_MS <= HOUR_MS) {
    for (let at = midnight; at < next; at += stepMinutes * MINUTE_MS) yield at;
    return;
  }
  const date = new Date(midnight);
  for (let minutes = 0; minutes < DAY_MINUTES; minutes += stepMinutes) {
    const local = new Date(date.getFullYear(), date.getMonth(), date.getDate(), 0, minutes);
    if (local.getHours() * 60 === minutes) yield local.getTime();
  }
}

function midnightBefore(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

function dayAfter(midnight: number): number {
  const date = new Date(midnight);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}

/** `14:03`. */
export function minuteText(at: number): string {
  return clockText(at).slice(0, 5);
}

/** `14:03:09`. */
export function clockText(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

const WEEKDAY = timeFormat({ weekday: 'short' });
const DAY = timeFormat({ weekday: 'short', day: 'numeric', month: 'short' });

const dayTexts = new Map<number, string>();

/** Formatting takes its time, and there are thousands of marks but few days. */
export function dayText(at: number): string {
  const midnight = midnightBefore(at);
  const text = dayTexts.get(midnight) ?? DAY.format(at);
  dayTexts.set(midnight, text);
  return text;
}

/** The second time with its day only when it is another one. */
export function periodText({ from, to }: Period, textOf: (at: number) => string = clockText): string {
  const [first, last] = [dayText(from), dayText(to)];
  return `${first} ${textOf(from)} to ${first === last ? '' : `${last} `}${textOf(to)}`;
}
