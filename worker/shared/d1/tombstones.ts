/** A run or kill that its job's object has purged. */
export interface Tombstone {
  readonly job: string;
  readonly id: string;
  /** Higher than any `seq` it had: a row with a higher one is a later run or kill with the same id. */
  readonly seq: number;
}

/** Removes what the jobs' objects have purged. For those objects. */
export function purgeTombstones(
  db: D1Database,
  table: 'runs' | 'kills',
  tombstones: readonly Tombstone[],
): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM ${table} WHERE EXISTS (SELECT 1 FROM json_each(?1) AS tombstone
         WHERE value ->> 'id' = ${table}.id AND value ->> 'job' = ${table}.job AND value ->> 'seq' >= ${table}.seq)
       AND id IN (SELECT value ->> 'id' FROM json_each(?1))`,
    )
    .bind(JSON.stringify(tombstones));
}
