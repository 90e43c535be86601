/** What D1 was asked, for what, and what that took. */
import { count, ms } from '../report/quantity.ts';
import type { Table } from '../report/result.ts';

/** As measured-worker.mjs keeps it. */
export type D1Counts = Record<string, D1Count>;

interface D1Count {
  readonly calls: number;
  readonly statements: number;
  readonly sqlMs: number;
  readonly waitedMs: number;
}

const NOTHING: D1Count = { calls: 0, statements: 0, sqlMs: 0, waitedMs: 0 };

/** What was asked between two looks. */
export function d1Table(title: string, before: D1Counts, after: D1Counts): Table {
  const rows = Object.entries(after).map(([purpose, now]) => {
    const { calls, statements, sqlMs, waitedMs } = before[purpose] ?? NOTHING;
    return {
      purpose,
      calls: now.calls - calls,
      statements: now.statements - statements,
      sqlMs: now.sqlMs - sqlMs,
      waitedMs: now.waitedMs - waitedMs,
    };
  });
  return {
    title,
    columns: ['calls', 'statements', 'in SQL', 'waited each'],
    rows: rows
      .filter(({ calls }) => calls > 0)
      .map(({ purpose, calls, statements, sqlMs, waitedMs }) => ({
        name: purpose,
        cells: [count(calls), count(statements), ms(sqlMs), ms(waitedMs / calls)],
      })),
  };
}
