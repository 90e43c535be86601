/** The `Range` header on a run's output: one range of its offsets. */

/** [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A parsed `Range` header. `suffix`: the last `bytes` bytes. */
export type RangeRequest =
  | { readonly kind: 'from'; readonly start: number; readonly end: number }
  | { readonly kind: 'suffix'; readonly bytes: number };

/** Null for what RFC 9110 lets a server ignore: another unit, several ranges, or an invalid header. */
export function parseRange(header: string): RangeRequest | null {
  const match = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(header);
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? null : { kind: 'suffix', bytes: Number(last) };
  const start = Number(first);
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last) + 1;
  return end <= start ? null : { kind: 'from', start, end };
}

/** The part of a requested range that is stored: empty if it lies beyond the end. */
export function resolveRange(request: RangeRequest, outputEnd: number): ByteRange {
  if (request.kind === 'suffix') return { start: Math.max(0, outputEnd - request.bytes), end: outputEnd };
  return { start: Math.min(request.start, outputEnd), end: Math.min(request.end, outputEnd) };
}

/** The parts of a range outside of the gaps, in order. */
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
