/** Times as people read them in a terminal. */
import { formatDuration } from '#shared/format-duration';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Beyond it a date says more than a number of days. */
const MAX_AGO_MS = 30 * DAY;
/** Beyond it a time of day could be of another day. */
const MAX_CLOCK_MS = 20 * HOUR;
/** What differs by less happens now: clocks are not exact. */
const NOW_MS = 1_000;

/** `now`, `5s ago`, `3m ago`, `2h ago`, `12d ago`, then the day; `in 1h 58m` for what is to come. */
export function relativeTime(at: string, nowMs: number): string {
  const passedMs = nowMs - Date.parse(at);
  const ms = Math.abs(passedMs);
  if (ms < NOW_MS) return 'now';
  if (ms >= MAX_AGO_MS) return at.slice(0, 10);
  return passedMs > 0 ? `${oneUnit(ms)} ago` : `in ${twoUnits(ms)}`;
}

/** What was to end in 2 hours a moment ago still does, and not in 1. */
function twoUnits(ms: number): string {
  return formatDuration(ms < MINUTE ? ms : Math.round(ms / MINUTE) * MINUTE);
}

function oneUnit(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / 1_000)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  return ms < DAY ? `${Math.floor(ms / HOUR)}h` : `${Math.floor(ms / DAY)}d`;
}

/** `2026-11-30 19:04:05Z`, and how long ago that was. */
export function exactTime(at: string, nowMs: number): string {
  const exact = `${at.slice(0, 10)} ${at.slice(11, 19)}Z`;
  const relative = relativeTime(at, nowMs);
  return exact.startsWith(relative) ? exact : `${exact} (${relative})`;
}

/** `02:00Z`, with the day if it isn't of the last hours. */
export function clockTime(at: string, nowMs: number): string {
  const time = `${at.slice(11, 16)}Z`;
  return Math.abs(nowMs - Date.parse(at)) < MAX_CLOCK_MS ? time : `${at.slice(0, 10)} ${time}`;
}

/** From one time to another, in whole seconds where it is more than ten of them. */
export function durationBetween(from: string, to: string | number): string {
  const end = typeof to === 'number' ? to : Date.parse(to);
  return formatDuration(Math.max(0, end - Date.parse(from)));
}

/** How long something has lasted that still does: its tenths would say nothing. */
export function elapsed(from: string, nowMs: number): string {
  return formatDuration(Math.max(0, Math.floor((nowMs - Date.parse(from)) / 1_000) * 1_000));
}
