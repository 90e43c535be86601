/** Lists that come in pages. */

/** @param rows one more than `limit`, if there are so many: that one tells that there is more */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  position: (last: Row) => string,
): { page: readonly Row[]; next: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, next: rows.length > limit && last !== undefined ? position(last) : null };
}
