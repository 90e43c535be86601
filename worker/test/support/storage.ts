/** An object's storage, read without the object's methods. */
import { runInDurableObject } from 'cloudflare:test';
import { ROW_COST_BYTES } from '../../durable/job/output-trim.ts';
import { RunStore } from '../../durable/job/run-store.ts';
import { jobObject } from './objects.ts';

export function query<Row extends Record<string, SqlStorageValue>>(
  job: string,
  sql: string,
  ...bindings: SqlStorageValue[]
): Promise<Row[]> {
  return runInDurableObject(jobObject(job), (_object, { storage }) =>
    storage.sql.exec<Row>(sql, ...bindings).toArray(),
  );
}

export async function tables(job: string): Promise<string[]> {
  const rows = await query<{ name: string }>(job, "SELECT name FROM sqlite_master WHERE type = 'table'");
  return rows.map(({ name }) => name).filter((name) => !name.startsWith('_cf') && !name.startsWith('sqlite'));
}

export type StoredRow = { start: number; end: number; gap: number };

export function outputRows(job: string, run: string): Promise<StoredRow[]> {
  return query(job, 'SELECT start, "end", stream IS NULL AS gap FROM output WHERE run = ? ORDER BY start', run);
}

/** The size of the output as an object that has just started sums it up from its runs, next to that of the rows. */
export function sums(job: string): Promise<{ ofRuns: number; ofRows: number }> {
  return runInDurableObject(jobObject(job), (_object, { storage: { sql } }) => {
    const query = 'SELECT coalesce(sum(? + iif(stream IS NULL, 0, "end" - start)), 0) AS size FROM output';
    const { size } = sql.exec<{ size: number }>(query, ROW_COST_BYTES).one();
    return { ofRuns: new RunStore(sql).outputTotal, ofRows: size };
  });
}
