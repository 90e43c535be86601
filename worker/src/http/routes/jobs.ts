/** `GET /jobs`, `GET /jobs/{job}`: each job with its last run, its live runs and its last ends. */
import * as v from 'valibot';
import { Tag } from '#protocol/about';
import { type Job, JobBody, JobList } from '#protocol/api';
import { JobName } from '#protocol/names';
import { jobRuns, NO_ENDS } from '../../../shared/d1/job-runs.ts';
import { findJob, type JobRow, listJobs } from '../../../shared/d1/jobs.ts';
import { ApiError } from '../../api-error.ts';
import { pageOf } from '../list-page.ts';
import { json, operation } from '../operation.ts';
import { cursor, limit } from '../parameters.ts';

export const jobOperations = [
  operation({
    id: 'listJobs',
    method: 'get',
    path: '/jobs',
    summary: 'List jobs by name',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      tag: v.optional(v.pipe(Tag, v.description('Only jobs whose newest run has this tag.'))),
      limit,
      cursor: cursor(JobName),
    },
    responses: { 200: json(JobList, 'A page of jobs, each with its last run, its live runs and its last ends.') },
    handle: async ({ c, caller, query }) => {
      const filter = { jobGlob: caller.token.jobs, tag: query.tag };
      const rows = await listJobs(c.env.DB, filter, query.cursor ?? '', query.limit + 1);
      const { page, next } = pageOf(rows, query.limit, ({ name }) => name);
      return c.json<v.InferOutput<typeof JobList>>({ jobs: await withRuns(c.env.DB, page), next_cursor: next });
    },
  }),
  operation({
    id: 'getJob',
    method: 'get',
    path: '/jobs/{job}',
    summary: 'Get a job',
    access: { kind: 'scope', scopes: ['read'] },
    params: { job: JobName },
    responses: { 200: json(JobBody, 'The job with its last run, its live runs and its last ends.') },
    errors: ['unknown_job'],
    handle: async ({ c, params }) => {
      const row = await findJob(c.env.DB, params.job);
      const [job] = row === null ? [] : await withRuns(c.env.DB, [row]);
      if (job === undefined) throw new ApiError('unknown_job', `Job ${params.job} has no runs. Check the name.`);
      return c.json<v.InferOutput<typeof JobBody>>({ job });
    },
  }),
];

async function withRuns(db: D1Database, rows: readonly JobRow[]): Promise<Job[]> {
  const runs = await jobRuns(
    db,
    rows.map(({ name }) => name),
  );
  return rows.map(({ name, firstSeenAt, about }) => {
    const own = runs.get(name);
    return {
      name,
      first_seen_at: new Date(firstSeenAt).toISOString(),
      last_run: own?.last ?? null,
      running: [...(own?.live ?? [])],
      running_count: own?.liveCount ?? 0,
      recent_ends: [...(own?.ends ?? [])],
      last_ends: [...(own?.lastEnds ?? [])],
      last_end_counts: own?.lastEndCounts ?? NO_ENDS,
      about,
    };
  });
}
