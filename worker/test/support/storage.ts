/** An object's storage, read without the object's methods. */
import { runInDurableObject } from 'cloudflare:test';
import { ROW_COST_BYTES } from '../../durable/job/output-trim.ts';
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

/** The stored sums, next to the sums of the rows. */
export async function sums(job: string): Promise<{ kept: number; ofRuns: number; ofRows: number }> {
  const [row] = await query<{ kept: number; ofRuns: number; ofRows: number }>(
    job,
    `SELECT (SELECT output_bytes FROM usage) AS kept,
       (SELECT coalesce(sum(output_size), 0) FROM runs) AS "ofRuns",
       (SELECT coalesce(sum(? + iif(stream IS NULL, 0, "end" - start)), 0) FROM output) AS "ofRows"`,
    ROW_COST_BYTES,
  );
  if (row === undefined) throw new Error('no sums');
  return row;
}
