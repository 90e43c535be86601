/** The index of expectations. Their true state is in the jobs' objects. */

import * as v from 'valibot';
import { Expectation } from '#protocol/expectations';
import { matching } from './glob.ts';
import type { Tombstone } from './tombstones.ts';

/** Inserts or updates expectations, except those of which a newer state is stored. For the jobs' objects. */
export function upsertExpectations(db: D1Database, expectations: readonly Expectation[]): D1PreparedStatement {
  const rows = expectations.map((expectation) => ({ since: Date.parse(expectation.since), expectation }));
  return db
    .prepare(
      `INSERT INTO expectations (job, machine, state, since, seq, resource)
       SELECT value ->> '$.expectation.job', coalesce(value ->> '$.expectation.machine', ''),
         value ->> '$.expectation.state', value ->> '$.since', value ->> '$.expectation.seq', value -> '$.expectation'
       FROM json_each(?) WHERE true
       ON CONFLICT (job, machine) DO UPDATE
         SET state = excluded.state, since = excluded.since, seq = excluded.seq, resource = excluded.resource
         WHERE excluded.seq > expectations.seq`,
    )
    .bind(JSON.stringify(rows));
}

/** Removes the expectations that the jobs' objects have removed. For those objects. */
export function purgeExpectations(db: D1Database, tombstones: readonly Tombstone[]): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM expectations WHERE EXISTS (SELECT 1 FROM json_each(?1) AS tombstone
         WHERE value ->> 'id' = expectations.machine AND value ->> 'job' = expectations.job
           AND value ->> 'seq' >= expectations.seq)
       AND job IN (SELECT value ->> 'job' FROM json_each(?1))`,
    )
    .bind(JSON.stringify(tombstones));
}

/** The expectations of matching jobs that don't hold, newest first. */
export async function brokenExpectations(db: D1Database, jobGlob: string, limit: number): Promise<Expectation[]> {
  const [condition, value] = matching('job', jobGlob);
  const { results } = await db
    .prepare(
      `SELECT resource FROM expectations WHERE state IN ('late', 'missed') AND ${condition}
       ORDER BY since DESC, job, machine LIMIT ?`,
    )
    .bind(value, limit)
    .all<{ resource: string }>();
  return results.map(({ resource }) => v.parse(Expectation, JSON.parse(resource)));
}
