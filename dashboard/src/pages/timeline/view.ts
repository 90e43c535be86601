/** Which stretch of time is looked at, and how it is moved and zoomed. Pure. */

export const SPANS = ['1h', '6h', '24h', '3d', '7d'] as const;
export type Span = (typeof SPANS)[number];

const HOUR_MS = 3_600_000;
export const SPAN_MS: Readonly<Record<Span, number>> = {
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  '24h': 24 * HOUR_MS,
  '3d': 72 * HOUR_MS,
  '7d': 168 * HOUR_MS,
};
export const SPAN_WORDS: Readonly<Record<Span, string>> = {
  '1h': '1 hour',
  '6h': '6 hours',
  '24h': '24 hours',
  '3d': '3 days',
  '7d': '7 days',
};
const USUAL_SPAN: Span = '24h';

export interface View {
  readonly span: Span;
  /** Where it ends; null when it ends now, and moves on. */
  readonly to: number | null;
}

export interface Period {
  readonly from: number;
  readonly to: number;
}

/** What a link says; what it says wrongly counts as not said. */
export function readView(query: URLSearchParams, nowMs: number): View {
  const span = SPANS.find((known) => known === query.get('window')) ?? USUAL_SPAN;
  const to = Date.parse(query.get('to') ?? '');
  return endingAt(span, Number.isNaN(to) ? nowMs : to, nowMs);
}

/** The same as parameters of a link. */
export function linkOf({ span, to }: View): { readonly window: string | null; readonly to: string | null } {
  return {
    window: span === USUAL_SPAN ? null : span,
    to: to === null ? null : `${new Date(to).toISOString().slice(0, 19)}Z`,
  };
}

export function periodOf({ span, to }: View, nowMs: number): Period {
  const end = to ?? nowMs;
  return { from: end - SPAN_MS[span], to: end };
}

/** Whoever comes back so near to now means now. */
const NEAR_NOW_SHARE = 0.01;

/** Moves towards the past by negative amounts. There is nothing to see in the future: there it holds on to now. */
export function panned(view: View, byMs: number, nowMs: number): View {
  const to = (view.to ?? nowMs) + byMs;
  const isNow = byMs > 0 && nowMs - to < SPAN_MS[view.span] * NEAR_NOW_SHARE;
  return endingAt(view.span, isNow ? nowMs : to, nowMs);
}

/** @param around the time that stays where it is; null for the middle, or for now when now is the end */
export function zoomed(view: View, span: Span, around: number | null, nowMs: number): View {
  if (around === null && view.to === null) return { span, to: null };
  const { from, to } = periodOf(view, nowMs);
  const fixed = around ?? (from + to) / 2;
  const share = (to - fixed) / (to - from);
  return endingAt(span, fixed + share * SPAN_MS[span], nowMs);
}

/** The next shorter (1) or longer (-1) one; the same at the end. */
export function nextSpan(span: Span, direction: 1 | -1): Span {
  return SPANS[SPANS.indexOf(span) - direction] ?? span;
}

/** Zooms in until what takes this stretch is a good part of the view. Null when it can't be zoomed in any further. */
export function framing(view: View, { from, to }: Period, nowMs: number): View | null {
  const shorter = SPANS.slice(0, SPANS.indexOf(view.span));
  const span = shorter.findLast((each) => SPAN_MS[each] <= (to - from) * 4) ?? shorter[0];
  return span === undefined ? null : endingAt(span, (from + to) / 2 + SPAN_MS[span] / 2, nowMs);
}

function endingAt(span: Span, to: number, nowMs: number): View {
  return { span, to: to >= nowMs ? null : Math.max(to, SPAN_MS[span]) };
}
