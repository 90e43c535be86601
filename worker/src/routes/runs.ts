/** `GET /runs`, `GET /runs/{run}` and what belongs to one run: its events and its output. */
import { Hono } from 'hono';
import * as v from 'valibot';
import type { EventList, Run, RunBody, RunList } from '#protocol/api';
import { JobName, MachineName, RunId } from '#protocol/names';
import { RunState } from '#protocol/run-state';
import { requireScope } from '../authentication.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { findRun, listRuns, type RunPosition } from '../db/runs.ts';
import { readInteger, readLimit, readQuery, readValue } from '../input.ts';
import { callJob } from '../job-client.ts';
import { ApiError } from '../problem-response.ts';
import { outputResponse } from '../run-output.ts';

const Stream = v.picklist(['stdout', 'stderr']);

export const runRoutes = new Hono<AppEnv>()
  .get('/runs', async (c) => {
    const { token } = c.get('caller');
    requireScope(token, ['read']);
    const limit = readLimit(c);
    const runs = await listRuns(
      c.env.DB,
      {
        jobGlob: token.jobs,
        job: readQuery(c, 'job', JobName),
        machine: readQuery(c, 'machine', MachineName),
        state: readQuery(c, 'state', RunState),
        after: readPosition(c),
      },
      limit + 1,
    );
    const page = runs.slice(0, limit);
    const last = page.at(-1);
    const next = runs.length > limit && last !== undefined ? `${Date.parse(last.started_at)}-${last.id}` : null;
    return c.json<v.InferOutput<typeof RunList>>({ runs: page, next_cursor: next });
  })
  .get('/runs/:run', async (c) => {
    const indexed = await requireRun(c);
    // The index may lag: the truth is in the object.
    const run = await callJob(c.env, indexed.job, (object) => object.run(indexed.id));
    return c.json<v.InferOutput<typeof RunBody>>({ run: run ?? indexed });
  })
  .get('/runs/:run/events', async (c) => {
    const run = await requireRun(c);
    const limit = readLimit(c);
    const after = readInteger(c, 'cursor', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 });
    const events = await callJob(c.env, run.job, (object) => object.events(run.id, after, limit + 1));
    const page = events.slice(0, limit);
    const next = events.length > limit ? String(page.at(-1)?.id) : null;
    return c.json<v.InferOutput<typeof EventList>>({ events: page, next_cursor: next });
  })
  .get('/runs/:run/output', async (c) => {
    const run = await requireRun(c);
    const bytes = { min: 0, max: Number.MAX_SAFE_INTEGER };
    return outputResponse(c.env, run, {
      offset: readInteger(c, 'offset', { ...bytes, fallback: 0 }),
      tail: c.req.query('tail') === undefined ? null : readInteger(c, 'tail', { ...bytes, fallback: 0 }),
      stream: readQuery(c, 'stream', Stream) ?? null,
    });
  });

/** The run as D1 has it, if the caller may read it. @throws ApiError */
async function requireRun(c: AppContext): Promise<Run> {
  const id = readValue(RunId, c.req.param('run'), 'run');
  const run = await findRun(c.env.DB, id);
  if (run === null) throw new ApiError('unknown_run', `There is no run ${id}.`);
  requireScope(c.get('caller').token, ['read'], run.job);
  return run;
}

function readPosition(c: AppContext): RunPosition | undefined {
  const cursor = c.req.query('cursor');
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})-([0-9A-Z]{26})$/.exec(cursor);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new ApiError('bad_cursor', 'This cursor is not one that a list gave. Start again without it.');
  }
  return { startedAt: Number(match[1]), id: match[2] };
}
