/**
 * How far the control plane's clock is from this machine's, as an interval.
 *
 * An answer's `Date` is cut to the second and was written somewhere between sending and receiving: each one narrows the
 * interval. A clock that is right within what can be known is taken as right.
 */
export interface OffsetRange {
  readonly least: number;
  readonly most: number;
}

export const ANY_OFFSET: OffsetRange = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY };

export function narrowOffset(
  range: OffsetRange,
  sample: { readonly sentAt: number; readonly receivedAt: number; readonly date: number },
): OffsetRange {
  const seen = { least: sample.date - sample.receivedAt, most: sample.date + 1000 - sample.sentAt };
  const both = { least: Math.max(range.least, seen.least), most: Math.min(range.most, seen.most) };
  // No common ground: this machine's clock was set meanwhile, and what was known of it is void.
  return both.least <= both.most ? both : seen;
}

export function offsetWithin(range: OffsetRange): number {
  return Math.min(Math.max(0, range.least), range.most);
}
