/** `GET /runs`, `GET /runs/{run}` and what belongs to one run: its events and its output. */
import * as v from 'valibot';
import {
  EventList,
  GAPS_HEADER,
  InputTime,
  MISSING_BYTES_HEADER,
  NEXT_OFFSET_HEADER,
  OFFSET_HEADER,
  type Run,
  RunBody,
  RunList,
} from '#protocol/api';
import { InstanceName, JobName, MachineName, RunId } from '#protocol/names';
import { RunState } from '#protocol/run-state';
import { listRuns } from '../../../shared/d1/run-lists.ts';
import { findRuns } from '../../../shared/d1/runs.ts';
import { callJob } from '../../../shared/rpc/job-object.ts';
import { AmbiguousRun, ApiError } from '../../api-error.ts';
import type { Caller } from '../authentication.ts';
import type { AppContext } from '../context.ts';
import { pageOf } from '../list-page.ts';
import { json, operation } from '../operation.ts';
import { parseRange, type RangeRequest } from '../output/byte-range.ts';
import { OUTPUT_TYPE, outputResponse, rangeResponse } from '../output/output-response.ts';
import { bytes, cursor, limit, listOf, wholeNumber } from '../parameters.ts';

const Stream = v.picklist(['stdout', 'stderr']);

/** The start, the id and the job of the last run of a page. */
const RunPosition = v.pipe(
  v.string(),
  v.regex(/^\d{1,15}-[0-9A-Z]{26}-[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  v.transform((text) => {
    const [startedAt = '', id = ''] = text.split('-');
    return { startedAt: Number(startedAt), id, job: text.slice(`${startedAt}-${id}-`.length) };
  }),
);

const ofOneRun = { method: 'get', access: { kind: 'scope', scopes: ['read'] }, params: { run: RunId } } as const;

const ofJob = {
  job: v.optional(
    v.pipe(JobName, v.description('Whose run it is: only needed where several jobs have reported the same run id.')),
  ),
};

export const runOperations = [
  operation({
    id: 'listRuns',
    method: 'get',
    path: '/runs',
    summary: 'Runs, newest first',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      job: v.optional(JobName),
      machine: v.optional(MachineName),
      instance: v.optional(InstanceName),
      state: v.optional(v.pipe(listOf(RunState), v.description('One state, or several, separated by commas.'))),
      since: v.optional(v.pipe(InputTime, v.description('Only runs that had not ended before.'))),
      until: v.optional(v.pipe(InputTime, v.description('Only runs that had started before.'))),
      limit,
      cursor: cursor(RunPosition),
    },
    responses: { 200: json(RunList, 'Runs as of their last change of state.') },
    handle: async ({ c, caller, query }) => {
      const { job, machine, instance, state: states, cursor: after } = query;
      const filter = { jobGlob: caller.token.jobs, job, machine, instance, states, ...readPeriod(query), after };
      const rows = await listRuns(c.env.DB, filter, query.limit + 1);
      const { page, next } = pageOf(rows, query.limit, ({ startedAt, id, job }) => `${startedAt}-${id}-${job}`);
      return c.json<v.InferOutput<typeof RunList>>({ runs: page.map(({ run }) => run), next_cursor: next });
    },
  }),
  operation({
    ...ofOneRun,
    id: 'getRun',
    path: '/runs/{run}',
    summary: 'A run',
    query: ofJob,
    responses: { 200: json(RunBody, 'The run as it is now.') },
    errors: ['unknown_run', 'run_ambiguous'],
    handle: async ({ c, caller, params, query }) => {
      const indexed = await requireRun(c, caller, params.run, query.job);
      // The index may lag: the truth is in the object.
      const run = await callJob(c.env, indexed.job, (object) => object.run(indexed.id));
      return c.json<v.InferOutput<typeof RunBody>>({ run: run ?? indexed });
    },
  }),
  operation({
    ...ofOneRun,
    id: 'listRunEvents',
    path: '/runs/{run}/events',
    summary: 'Everything that happened to a run, in order',
    query: { ...ofJob, limit, cursor: cursor(wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER })) },
    responses: { 200: json(EventList, 'Events, oldest first.') },
    errors: ['unknown_run', 'run_ambiguous'],
    handle: async ({ c, caller, params, query }) => {
      const run = await requireRun(c, caller, params.run, query.job);
      const rows = await callJob(c.env, run.job, (object) => object.events(run.id, query.cursor ?? 0, query.limit + 1));
      const { page, next } = pageOf(rows, query.limit, ({ id }) => String(id));
      return c.json<v.InferOutput<typeof EventList>>({ events: [...page], next_cursor: next });
    },
  }),
  operation({
    ...ofOneRun,
    id: 'getRunOutput',
    path: '/runs/{run}/output',
    summary: 'What a run has printed so far, as bytes',
    query: {
      ...ofJob,
      offset: v.optional(v.pipe(bytes, v.description('Where to start, in the merged log.')), '0'),
      tail: v.optional(v.pipe(bytes, v.description('Start so many bytes before the end instead.'))),
      stream: v.optional(v.pipe(Stream, v.description('Only what went to this stream.'))),
      gaps: v.optional(
        v.pipe(
          v.picklist(['marked']),
          v.description(
            'A line of its own where bytes are missing, as `[leash: 12 bytes of the output are missing here, from offset 100 to 112]`. Of a log of which nothing is missing the answer is the same.',
          ),
        ),
      ),
    },
    headers: {
      Range:
        '`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`, by offsets in the merged log; beside no parameter but `job`. Ignored beside `If-Range`: there is no validator, and none is needed, for an offset never changes its byte.',
    },
    responses: {
      200: {
        description:
          'Output from the offset on. What is missing is left out, and told in the headers; with `gaps=marked` in the text as well.',
        content: { kind: 'text', type: OUTPUT_TYPE },
        headers: {
          'Accept-Ranges': { description: '`bytes`, or `none` beside `stream`.', always: true },
          [OFFSET_HEADER]: { description: 'The offset of the first byte asked for.', always: true },
          [NEXT_OFFSET_HEADER]: { description: 'The offset that follows the last byte sent.', always: true },
          [MISSING_BYTES_HEADER]: { description: 'How many of the bytes asked for are missing.', always: true },
          [GAPS_HEADER]: {
            description: 'Which, as `from-to` (`to` not included), separated by commas; the first hundred stretches.',
            always: false,
          },
        },
      },
      206: {
        description:
          'One stretch of what the `Range` asks for, without holes: up to the first gap, or of `bytes=-COUNT` after the last. `Content-Range` says which.',
        content: { kind: 'text', type: OUTPUT_TYPE },
        headers: {
          'Accept-Ranges': { description: '`bytes`.', always: true },
          'Content-Range': { description: 'Which bytes these are, and how many are stored so far.', always: true },
          [OFFSET_HEADER]: { description: 'The offset of the first byte.', always: true },
          [NEXT_OFFSET_HEADER]: { description: 'The offset that follows the last byte sent.', always: true },
          [MISSING_BYTES_HEADER]: { description: 'Always 0.', always: true },
        },
      },
    },
    errors: ['unknown_run', 'run_ambiguous', 'range_not_satisfiable'],
    handle: async ({ c, caller, params, query }) => {
      const range = readRange(c);
      if (query.tail !== undefined && c.req.query('offset') !== undefined) {
        throw new ApiError('bad_request', 'Give either offset or tail: each says where to start.');
      }
      const run = await requireRun(c, caller, params.run, query.job);
      if (range !== null) return rangeResponse(c, run, range);
      return outputResponse(c, run, {
        offset: query.offset,
        tail: query.tail ?? null,
        stream: query.stream ?? null,
        marksGaps: query.gaps === 'marked',
      });
    },
  }),
];

/** @throws ApiError `bad_request` for one that is over before it begins */
function readPeriod(query: { since?: string | undefined; until?: string | undefined }) {
  const since = query.since === undefined ? undefined : Date.parse(query.since);
  const until = query.until === undefined ? undefined : Date.parse(query.until);
  if (since !== undefined && until !== undefined && since >= until) {
    throw new ApiError('bad_request', 'until: a time after since.');
  }
  return { since, until };
}

/**
 * The `Range` that counts; null for none.
 *
 * @throws ApiError `bad_request` beside parameters, which say otherwise what is wanted
 */
function readRange(c: AppContext): RangeRequest | null {
  const header = c.req.header('Range');
  // Defined for GET alone.
  if (header === undefined || c.req.raw.method !== 'GET' || c.req.header('If-Range') !== undefined) return null;
  const range = parseRange(header);
  if (range !== null && Object.keys(c.req.queries()).some((name) => name !== 'job')) {
    throw new ApiError('bad_request', 'Give either a Range or offset, tail, stream and gaps.');
  }
  return range;
}

/**
 * The run as D1 has it. One of a job that the caller may not see is, to the caller, none.
 *
 * @throws ApiError `unknown_run`; `run_ambiguous` where several jobs have one with this id and `job` does not say which
 */
async function requireRun(c: AppContext, caller: Caller, id: string, job: string | undefined): Promise<Run> {
  const runs = await findRuns(c.env.DB, { id, jobGlob: caller.token.jobs, job: job ?? null });
  const [run] = runs;
  if (run === undefined) {
    throw new ApiError('unknown_run', job === undefined ? `There is no run ${id}.` : `${job} has no run ${id}.`);
  }
  if (runs.length > 1) {
    const jobs = runs.map((each) => each.job);
    throw new AmbiguousRun(id, jobs, 'Say which one with ?job=.');
  }
  return run;
}
