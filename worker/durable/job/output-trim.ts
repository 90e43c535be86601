/** Which rows of a run's output are removed when there is too much of it. Pure: `output-store.ts` removes them. */

/**
 * The storage that a row takes besides its bytes, roughly. Without it, output that arrives byte by byte would fill the
 * storage long before its bytes do.
 */
export const ROW_COST_BYTES = 64;

/** Bytes, or a gap. */
export interface OutputRow {
  readonly start: number;
  readonly end: number;
  readonly isGap: boolean;
}

/** The storage that a row takes. */
export function rowCost(row: OutputRow): number {
  return ROW_COST_BYTES + (row.isGap ? 0 : row.end - row.start);
}

/** Replace the rows that start in [from, to) by one gap. */
export interface TrimPlan {
  /** Where the gap starts: at an earlier gap that grows, or at the first of the rows. */
  readonly gapStart: number;
  readonly from: number;
  readonly to: number;
  /** How much storage that frees. */
  readonly freed: number;
}

/**
 * The oldest rows, as few as free what is needed, become one gap.
 *
 * Two gaps are never left next to each other: one before the rows grows, one after them is merged.
 *
 * @param before the row before them
 * @param rows the rows that may be removed, in order; beyond `maxRows` only a gap is, which costs nothing to merge
 * @returns null if nothing would be freed
 */
export function planTrim(
  before: OutputRow | null,
  rows: readonly OutputRow[],
  neededBytes: number,
  maxRows: number,
): TrimPlan | null {
  const first = rows[0];
  if (first === undefined) return null;
  const grows = before?.isGap === true;
  let freed = grows ? 0 : -ROW_COST_BYTES;
  let to = first.start;
  for (const [index, row] of rows.entries()) {
    if (!row.isGap && (freed >= neededBytes || index >= maxRows)) break;
    freed += rowCost(row);
    to = row.end;
  }
  return freed <= 0 ? null : { gapStart: grows ? before.start : first.start, from: first.start, to, freed };
}
