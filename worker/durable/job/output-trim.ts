/** Which rows of a run's log make way when there is too much of it. Pure: `output-log.ts` carries it out. */

/**
 * What a row of the log takes beside its bytes, roughly. Without it, output that comes byte by byte would fill the storage
 * long before its bytes do.
 */
export const ROW_COST_BYTES = 64;

/** A row of the log: bytes, or a gap. */
export interface LogRow {
  readonly start: number;
  readonly end: number;
  readonly isGap: boolean;
}

/** What a row takes in storage. */
export function rowCost(row: LogRow): number {
  return ROW_COST_BYTES + (row.isGap ? 0 : row.end - row.start);
}

/** Put one gap row in place of the rows that start in [from, to). */
export interface TrimPlan {
  /** Where the gap starts: at an earlier gap that grows, or else where the rows do. */
  readonly gapStart: number;
  readonly from: number;
  readonly to: number;
  /** How much less storage the log takes then. */
  readonly freed: number;
}

/**
 * The oldest rows, as few as free what is needed, become one gap.
 *
 * Two gaps are never left beside each other: one that lies before the rows grows, one that comes next is taken in.
 *
 * @param before the row that comes before them
 * @param rows the rows that may go, in order; of more than `maxRows` only a gap, which costs nothing to take in
 * @returns null when nothing would be freed
 */
export function planTrim(
  before: LogRow | null,
  rows: readonly LogRow[],
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
