/** Which period is shown, and what it becomes when it is moved and zoomed. Pure. */

const HOUR_MS = 3_600_000;

/** How long the period is, the shortest first. */
export const ZOOMS = {
  '1h': { ms: HOUR_MS, label: '1 hour' },
  '6h': { ms: 6 * HOUR_MS, label: '6 hours' },
  '24h': { ms: 24 * HOUR_MS, label: '24 hours' },
  '3d': { ms: 72 * HOUR_MS, label: '3 days' },
  '7d': { ms: 168 * HOUR_MS, label: '7 days' },
} as const;
export type Zoom = keyof typeof ZOOMS;
export const ZOOM_NAMES = Object.keys(ZOOMS) as readonly Zoom[];
const DEFAULT_ZOOM: Zoom = '24h';

export interface View {
  readonly zoom: Zoom;
  /** The end of the period; null when that is now, and moves on. */
  readonly to: number | null;
}

export interface Period {
  readonly from: number;
  readonly to: number;
}

/** Reads a view from a link's query; what is invalid counts as missing. */
export function readView(query: URLSearchParams, nowMs: number): View {
  const zoom = ZOOM_NAMES.find((known) => known === query.get('window')) ?? DEFAULT_ZOOM;
  const to = Date.parse(query.get('to') ?? '');
  return endingAt(zoom, Number.isNaN(to) ? nowMs : to, nowMs);
}

/** The same as parameters of a link. */
export function queryOf({ zoom, to }: View): { readonly window: string | null; readonly to: string | null } {
  return {
    window: zoom === DEFAULT_ZOOM ? null : zoom,
    to: to === null ? null : `${new Date(to).toISOString().slice(0, 19)}Z`,
  };
}

export function periodOf({ zoom, to }: View, nowMs: number): Period {
  const end = to ?? nowMs;
  return { from: end - ZOOMS[zoom].ms, to: end };
}

export function overlaps({ from, to }: { readonly from: number; readonly to: number | null }, period: Period): boolean {
  return from <= period.to && (to === null || to >= period.from);
}

/** Moving back to within this share of the period from now means now. */
const NEAR_NOW_SHARE = 0.01;

/** Moves towards the past by negative amounts, and towards the future no further than now. */
export function panned(view: View, byMs: number, nowMs: number): View {
  const to = (view.to ?? nowMs) + byMs;
  const isNow = byMs > 0 && nowMs - to < ZOOMS[view.zoom].ms * NEAR_NOW_SHARE;
  return endingAt(view.zoom, isNow ? nowMs : to, nowMs);
}

/** @param around the time that keeps its position; null for the middle, or for now when the period ends now */
export function zoomed(view: View, zoom: Zoom, around: number | null, nowMs: number): View {
  if (around === null && view.to === null) return { zoom, to: null };
  const { from, to } = periodOf(view, nowMs);
  const fixed = around ?? (from + to) / 2;
  const share = (to - fixed) / (to - from);
  return endingAt(zoom, fixed + share * ZOOMS[zoom].ms, nowMs);
}

/** The next closer (1) or wider (-1) zoom; the same one at the end. */
export function nextZoom(zoom: Zoom, direction: 1 | -1): Zoom {
  return ZOOM_NAMES[ZOOM_NAMES.indexOf(zoom) - direction] ?? zoom;
}

function endingAt(zoom: Zoom, to: number, nowMs: number): View {
  return { zoom, to: to >= nowMs ? null : Math.max(to, ZOOMS[zoom].ms) };
}
