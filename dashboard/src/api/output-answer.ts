/** Output that came over HTTPS: its bytes are what is left of a range, with the gaps told beside it. */

export interface Gap {
  readonly from: number;
  readonly to: number;
}

export type LogPiece =
  | { readonly kind: 'bytes'; readonly start: number; readonly bytes: Uint8Array }
  | ({ readonly kind: 'gap' } & Gap);

/** Reads `from-to,from-to`; what cannot be read is left out. */
export function parseGaps(header: string): Gap[] {
  const gaps: Gap[] = [];
  for (const part of header.split(',')) {
    const match = /^\s*(\d+)-(\d+)\s*$/.exec(part);
    if (match === null) continue;
    const from = Number(match[1]);
    const to = Number(match[2]);
    if (to > from) gaps.push({ from, to });
  }
  return gaps.sort((a, b) => a.from - b.from);
}

/** Puts the gaps back between the bytes, so that every byte is at its offset again. */
export function placePieces(offset: number, bytes: Uint8Array, gaps: readonly Gap[]): LogPiece[] {
  const pieces: LogPiece[] = [];
  let taken = 0;
  let at = offset;
  const take = (upTo: number) => {
    const part = bytes.subarray(taken, taken + Math.max(0, upTo - at));
    if (part.length === 0) return;
    pieces.push({ kind: 'bytes', start: at, bytes: part });
    taken += part.length;
    at += part.length;
  };
  for (const gap of gaps) {
    if (gap.to <= at) continue;
    take(gap.from);
    pieces.push({ kind: 'gap', from: at, to: gap.to });
    at = gap.to;
  }
  take(Number.POSITIVE_INFINITY);
  return pieces;
}
