/** What D1 was asked, for what, and what that took. */

/** As counted-worker.mjs keeps it. */
export type D1Counts = Record<
  string,
  { calls: number; statements: number; sqlMs: number; waitedMs: number; longestMs: number }
>;

export function printD1(before: D1Counts, after: D1Counts): void {
  const rows = Object.entries(after).map(([purpose, count]) => ({
    purpose,
    calls: count.calls - (before[purpose]?.calls ?? 0),
    statements: count.statements - (before[purpose]?.statements ?? 0),
    sqlMs: count.sqlMs - (before[purpose]?.sqlMs ?? 0),
    waitedMs: count.waitedMs - (before[purpose]?.waitedMs ?? 0),
    longestMs: count.longestMs,
  }));
  const sqlMs = rows.reduce((sum, row) => sum + row.sqlMs, 0);
  console.log('  D1                calls  statements    in SQL   share   waited for, mean and longest yet');
  for (const row of rows.filter(({ calls }) => calls > 0)) {
    const cells = [
      String(row.calls).padStart(9),
      String(row.statements).padStart(12),
      `${row.sqlMs.toFixed(0)} ms`.padStart(10),
      `${((100 * row.sqlMs) / sqlMs).toFixed(0)} %`.padStart(8),
      `${(row.waitedMs / row.calls).toFixed(0)} ms`.padStart(12),
      `${row.longestMs.toFixed(0)} ms`.padStart(10),
    ];
    console.log(`    ${row.purpose.padEnd(12)}${cells.join('')}`);
  }
}
