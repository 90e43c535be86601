/**
 * The number of an admission, which rises for as long as the job's name is used: also when the object has removed its last
 * run, and all it stores with it. So it counts from the time, and by one where that is not enough.
 */

/** @returns a number above all that were returned before */
export function nextFence(sql: SqlStorage): number {
  const { fence } = sql.exec<{ fence: number }>('SELECT fence FROM identity').one();
  const next = Math.max(fence + 1, Date.now());
  sql.exec('UPDATE identity SET fence = ?', next);
  return next;
}
