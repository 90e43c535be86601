/** A run or kill that its job's object has purged. */
export interface Tombstone {
  readonly job: string;
  readonly id: string;
  /** Higher than any `seq` it had: a row with a higher one is a later run or kill with the same id. */
  readonly seq: number;
}

/** Removes the runs that the jobs' objects have purged. For those objects. To be executed in one batch. */
export function purgeRuns(db: D1Database, tombstones: readonly Tombstone[]): D1PreparedStatement[] {
  const lastEnds = db
    .prepare(
      `DELETE FROM last_ends WHERE (job, machine, run) IN (
         SELECT runs.job, runs.machine, runs.id FROM json_each(?) AS tombstone
         JOIN runs ON runs.id = value ->> 'id' AND runs.job = value ->> 'job' WHERE value ->> 'seq' >= runs.seq)`,
    )
    .bind(JSON.stringify(tombstones));
  // Runs are removed by their ends, the oldest first: with the last end of a machine nothing older is left of it.
  return [lastEnds, purge(db, 'runs', tombstones)];
}

/** Removes the kills that the jobs' objects have purged. For those objects. */
export function purgeKills(db: D1Database, tombstones: readonly Tombstone[]): D1PreparedStatement {
  return purge(db, 'kills', tombstones);
}

function purge(db: D1Database, table: 'runs' | 'kills', tombstones: readonly Tombstone[]): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM ${table} WHERE EXISTS (SELECT 1 FROM json_each(?1) AS tombstone
         WHERE value ->> 'id' = ${table}.id AND value ->> 'job' = ${table}.job AND value ->> 'seq' >= ${table}.seq)
       AND id IN (SELECT value ->> 'id' FROM json_each(?1))`,
    )
    .bind(JSON.stringify(tombstones));
}
