/** `Range` on a run's output: one stretch of the merged log, by its offsets. */

/** [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * What a `Range` header asks for. `suffix`: the last so many bytes.
 *
 * Null for all that RFC 9110 lets a server ignore, as if the header were not there: another unit, several ranges, or what
 * can't be read.
 */
export type RangeRequest =
  | { readonly kind: 'from'; readonly start: number; readonly end: number }
  | { readonly kind: 'suffix'; readonly bytes: number };

export function parseRange(header: string): RangeRequest | null {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header);
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? null : { kind: 'suffix', bytes: Number(last) };
  const start = Number(first);
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last) + 1;
  return end <= start ? null : { kind: 'from', start, end };
}

/** What of the log the range asks for, within what is stored: empty when it lies beyond. */
export function resolveRange(asked: RangeRequest, logEnd: number): ByteRange {
  if (asked.kind === 'suffix') return { start: Math.max(0, logEnd - asked.bytes), end: logEnd };
  return { start: Math.min(asked.start, logEnd), end: Math.min(asked.end, logEnd) };
}

/** The parts of a stretch that no gap has taken, in order. */
export function withoutGaps({ start, end }: ByteRange, gaps: readonly ByteRange[]): ByteRange[] {
  const parts: ByteRange[] = [];
  let from = start;
  for (const gap of gaps) {
    if (gap.start > from) parts.push({ start: from, end: Math.min(gap.start, end) });
    from = Math.max(from, gap.end);
    if (from >= end) return parts.filter((part) => part.start < part.end);
  }
  parts.push({ start: from, end });
  return parts.filter((part) => part.start < part.end);
}
