/** Up to when this browser's reader has seen what happened. Pure but for the storage. */

const KEY = 'leash.last-night';
const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Who comes back within this time is still working through the same list. */
const VISIT_MS = 4 * HOUR_MS;
/** What a first visit shows, and the most that any does. */
const FIRST_MS = 12 * HOUR_MS;
const MOST_MS = 7 * DAY_MS;

export interface Visit {
  readonly beganAt: number;
  /** What has happened since then is new to the reader. */
  readonly since: number;
  /** Up to then it was shown. */
  readonly seen: number;
}

/** Where a visit begins, and why there. */
export interface Beginning extends Pick<Visit, 'beganAt' | 'since'> {
  readonly from: 'last visit' | 'first visit' | 'too long ago';
}

/** The visit that a reader makes now: the last one, if it is not over. */
export function beginVisit(last: Visit | null, now: number): Beginning {
  if (last === null || last.seen > now) return { beganAt: now, since: now - FIRST_MS, from: 'first visit' };
  const isSame = now - last.beganAt < VISIT_MS;
  const beganAt = isSame ? last.beganAt : now;
  const since = isSame ? last.since : last.seen;
  return since < now - MOST_MS - VISIT_MS
    ? { beganAt, since: now - MOST_MS, from: 'too long ago' }
    : { beganAt, since, from: 'last visit' };
}

export function lastVisit(): Visit | null {
  try {
    return readVisit(JSON.parse(localStorage.getItem(KEY) ?? 'null'));
  } catch {
    // Refused by the browser, or not ours: then it is as on a first visit.
    return null;
  }
}

function readVisit(kept: unknown): Visit | null {
  if (typeof kept !== 'object' || kept === null) return null;
  const { beganAt, since, seen } = kept as Partial<Record<keyof Visit, unknown>>;
  const isWhole = typeof beganAt === 'number' && typeof since === 'number' && typeof seen === 'number';
  return isWhole ? { beganAt, since, seen } : null;
}

export function rememberVisit(visit: Visit): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(visit));
  } catch {
    // Refused by the browser: then the next visit is as the first.
  }
}
