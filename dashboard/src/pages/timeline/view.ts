/** Which period is shown, and what it becomes when it is moved and zoomed. Pure. */

export const ZOOMS = ['1h', '6h', '24h', '3d', '7d'] as const;
/** How long the period is. */
export type Zoom = (typeof ZOOMS)[number];

const HOUR_MS = 3_600_000;
export const ZOOM_MS: Readonly<Record<Zoom, number>> = {
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  '24h': 24 * HOUR_MS,
  '3d': 72 * HOUR_MS,
  '7d': 168 * HOUR_MS,
};
export const ZOOM_LABELS: Readonly<Record<Zoom, string>> = {
  '1h': '1 hour',
  '6h': '6 hours',
  '24h': '24 hours',
  '3d': '3 days',
  '7d': '7 days',
};
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
  const zoom = ZOOMS.find((known) => known === query.get('window')) ?? DEFAULT_ZOOM;
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
  return { from: end - ZOOM_MS[zoom], to: end };
}

export function overlaps({ from, to }: { readonly from: number; readonly to: number | null }, period: Period): boolean {
  return from <= period.to && (to === null || to >= period.from);
}

/** Moving back to within this share of the period from now means now. */
const NEAR_NOW_SHARE = 0.01;

/** Moves towards the past by negative amounts, and towards the future no further than now. */
export function panned(view: View, byMs: number, nowMs: number): View {
  const to = (view.to ?? nowMs) + byMs;
  const isNow = byMs > 0 && nowMs - to < ZOOM_MS[view.zoom] * NEAR_NOW_SHARE;
  return endingAt(view.zoom, isNow ? nowMs : to, nowMs);
}

/** @param around the time that keeps its position; null for the middle, or for now when the period ends now */
export function zoomed(view: View, zoom: Zoom, around: number | null, nowMs: number): View {
  if (around === null && view.to === null) return { zoom, to: null };
  const { from, to } = periodOf(view, nowMs);
  const fixed = around ?? (from + to) / 2;
  const share = (to - fixed) / (to - from);
  return endingAt(zoom, fixed + share * ZOOM_MS[zoom], nowMs);
}

/** The next closer (1) or wider (-1) zoom; the same one at the end. */
export function nextZoom(zoom: Zoom, direction: 1 | -1): Zoom {
  return ZOOMS[ZOOMS.indexOf(zoom) - direction] ?? zoom;
}

/** Zooms in on a period until it takes a good part of the view. Null where no closer zoom is left. */
export function framing(view: View, { from, to }: Period, nowMs: number): View | null {
  const closer = ZOOMS.slice(0, ZOOMS.indexOf(view.zoom));
  const zoom = closer.findLast((each) => ZOOM_MS[each] <= (to - from) * 4) ?? closer[0];
  return zoom === undefined ? null : endingAt(zoom, (from + to) / 2 + ZOOM_MS[zoom] / 2, nowMs);
}

function endingAt(zoom: Zoom, to: number, nowMs: number): View {
  return { zoom, to: to >= nowMs ? null : Math.max(to, ZOOM_MS[zoom]) };
}
