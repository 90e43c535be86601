/** Lists are returned page by page. */

/** @param rows up to one more than `limit`, which shows whether there is a next page */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  position: (last: Row) => string,
): { page: readonly Row[]; next: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, next: rows.length > limit && last !== undefined ? position(last) : null };
}
