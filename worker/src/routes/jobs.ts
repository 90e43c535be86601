/** `GET /jobs`, `GET /jobs/{job}`: each job with its last run and those that live. */
import { Hono } from 'hono';
import type * as v from 'valibot';
import type { Job, JobBody, JobList, Run } from '#protocol/api';
import { JobName } from '#protocol/names';
import { isLive } from '#protocol/run-state';
import { requireScope } from '../authentication.ts';
import type { AppEnv } from '../context.ts';
import { findJob, type JobRow, listJobs } from '../db/jobs.ts';
import { runsOfJobs } from '../db/runs.ts';
import { readLimit, readQuery, readValue } from '../input.ts';
import { ApiError } from '../problem-response.ts';

export const jobRoutes = new Hono<AppEnv>()
  .get('/jobs', async (c) => {
    const { token } = c.get('caller');
    requireScope(token, ['read']);
    const limit = readLimit(c);
    const after = readQuery(c, 'cursor', JobName) ?? '';
    // One more than asked for tells whether there is more.
    const rows = await listJobs(c.env.DB, token.jobs, after, limit + 1);
    const page = rows.slice(0, limit);
    const jobs = await withRuns(c.env.DB, page);
    const next = rows.length > limit ? (page.at(-1)?.name ?? null) : null;
    return c.json<v.InferOutput<typeof JobList>>({ jobs, next_cursor: next });
  })
  .get('/jobs/:job', async (c) => {
    const name = readValue(JobName, c.req.param('job'), 'job');
    requireScope(c.get('caller').token, ['read'], name);
    const row = await findJob(c.env.DB, name);
    const [job] = row === null ? [] : await withRuns(c.env.DB, [row]);
    if (job === undefined) throw new ApiError('unknown_job', `No run of ${name} was ever seen. Check the name.`);
    return c.json<v.InferOutput<typeof JobBody>>({ job });
  });

async function withRuns(db: D1Database, rows: readonly JobRow[]): Promise<Job[]> {
  const runs = await runsOfJobs(
    db,
    rows.map(({ name }) => name),
  );
  return rows.map(({ name, firstSeenAt }) => {
    const own = runs.filter((run) => run.job === name);
    return {
      name,
      first_seen_at: new Date(firstSeenAt).toISOString(),
      last_run: own.reduce<Run | null>(later, null),
      running: own.filter((run) => isLive(run.state)),
    };
  });
}

function later(a: Run | null, b: Run): Run {
  return a === null || b.started_at > a.started_at ? b : a;
}
