/** A run or kill that its job's object does not keep any more. */
export interface Tombstone {
  readonly job: string;
  readonly id: string;
  /** Higher than any it had: what is newer than this is another one that took its place. */
  readonly seq: number;
}

/** Removes what the jobs' objects do not keep any more. For those objects. */
export function purgeTombstones(
  db: D1Database,
  table: 'runs' | 'kills',
  gone: readonly Tombstone[],
): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM ${table} WHERE EXISTS (SELECT 1 FROM json_each(?1) AS gone
         WHERE value ->> 'id' = ${table}.id AND value ->> 'job' = ${table}.job AND value ->> 'seq' >= ${table}.seq)
       AND id IN (SELECT value ->> 'id' FROM json_each(?1))`,
    )
    .bind(JSON.stringify(gone));
}
