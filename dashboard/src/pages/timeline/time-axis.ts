/** Where times are marked and how they are written, by the reader's clock. Pure. */
import { timeFormat } from '../../format/time-format.ts';
import type { Period } from './view.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const STEPS_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, DAY_MINUTES];

export interface Tick {
  readonly at: number;
  /** `14:00`. */
  readonly label: string;
  readonly isMidnight: boolean;
}

/** What a period has of one day. */
export interface Day extends Period {
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
  return midnightsOf({ from, to }).flatMap((midnight) =>
    stepsOfDay(midnight, stepMinutes)
      .filter((at) => at >= from && at <= to)
      .map((at) => ({ at, label: minuteText(at), isMidnight: at === midnight })),
  );
}

export function daysOf({ from, to }: Period): Day[] {
  return midnightsOf({ from, to }).map((midnight) => ({
    from: Math.max(from, midnight),
    to: Math.min(to, dayAfter(midnight)),
    label: dayText(midnight),
    short: `${WEEKDAY.format(midnight)} ${new Date(midnight).getDate()}`,
    date: String(new Date(midnight).getDate()),
  }));
}

/** On days on which clocks are changed some times come twice, and others never. */
function stepsOfDay(midnight: number, stepMinutes: number): number[] {
  const next = dayAfter(midnight);
  const times: number[] = [];
  let last = -1;
  for (let at = midnight; at < next; at += Math.min(stepMinutes, 30) * MINUTE_MS) {
    const minutes = new Date(at).getHours() * 60 + new Date(at).getMinutes();
    // An hour that comes twice is marked twice, unless the ticks are further apart than that.
    if (minutes % stepMinutes !== 0 || (stepMinutes > 60 && minutes === last)) continue;
    times.push(at);
    last = minutes;
  }
  return times;
}

function midnightsOf({ from, to }: Period): number[] {
  const midnights: number[] = [];
  for (let day = midnightBefore(from); day < to; day = dayAfter(day)) midnights.push(day);
  return midnights;
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

/** Cached: formatting is slow, and thousands of bars share few days. */
export function dayText(at: number): string {
  const midnight = midnightBefore(at);
  const text = dayTexts.get(midnight) ?? DAY.format(at);
  dayTexts.set(midnight, text);
  return text;
}

/** Names the second day only where it is another one. */
export function periodText({ from, to }: Period, textOf: (at: number) => string = clockText): string {
  const [first, last] = [dayText(from), dayText(to)];
  return `${first} ${textOf(from)} to ${first === last ? '' : `${last} `}${textOf(to)}`;
}
