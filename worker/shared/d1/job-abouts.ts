/** What each job is, as its newest run says. Only what changes is written. */
import * as v from 'valibot';
import { About } from '#protocol/about';
import type { Run } from '#protocol/api';

/** Takes over what the newest of these runs say. For the jobs' objects. */
export function indexAbouts(db: D1Database, runs: readonly Run[]): D1PreparedStatement[] {
  const newest = new Map<string, Run>();
  for (const run of runs) if (run.id > (newest.get(run.job)?.id ?? '')) newest.set(run.job, run);
  // An older object, for some minutes after a deploy, says nothing of it.
  const entries = [...newest.values()].map(({ job, id, about = null }) => ({ job, run: id, about }));
  const said = entries.flatMap((entry) =>
    entry.about === null ? [] : [{ ...entry, about: JSON.stringify(entry.about) }],
  );
  const silent = entries.filter(({ about }) => about === null);
  return [...(said.length === 0 ? [] : [upsert(db, said)]), ...(silent.length === 0 ? [] : [remove(db, silent)])];
}

function upsert(db: D1Database, said: readonly unknown[]): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO job_abouts (job, about, run)
       SELECT value ->> 'job', value ->> 'about', value ->> 'run' FROM json_each(?) WHERE true
       ON CONFLICT (job) DO UPDATE SET about = excluded.about, run = excluded.run
       WHERE excluded.run > job_abouts.run AND excluded.about <> job_abouts.about`,
    )
    .bind(JSON.stringify(said));
}

function remove(db: D1Database, silent: readonly unknown[]): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM job_abouts WHERE job IN (SELECT value ->> 'job' FROM json_each(?1))
         AND run < (SELECT value ->> 'run' FROM json_each(?1) WHERE value ->> 'job' = job_abouts.job)`,
    )
    .bind(JSON.stringify(silent));
}

/** The condition that a job has a tag. To be bound: the tag. */
export const JOB_HAS_TAG = `EXISTS (
  SELECT 1 FROM job_abouts, json_each(job_abouts.about, '$.tags') AS tag
  WHERE job_abouts.job = jobs.name AND tag.value = ?)`;

export function readAbout(about: string | null): About | null {
  return about === null ? null : v.parse(About, JSON.parse(about));
}
