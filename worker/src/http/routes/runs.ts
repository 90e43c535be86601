/** `GET /runs`, `GET /runs/{run}`, and the events and the output of a run. */
import * as v from 'valibot';
import { Tag } from '#protocol/about';
import {
  EventList,
  GAPS_HEADER,
  MISSING_BYTES_HEADER,
  NEXT_OFFSET_HEADER,
  OFFSET_HEADER,
  type Run,
  RunBody,
  RunList,
} from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { InstanceName, JobName, MachineName, RunId } from '#protocol/names';
import { RunState } from '#protocol/run-state';
import { InputTime } from '#protocol/time';
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

/** A cursor: start, id and job of the last run of a page. */
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
    v.pipe(
      JobName,
      v.description(
        'The job of the run. Required if several jobs have reported this run id, or if the run has left the index.',
      ),
    ),
  ),
};

export const runOperations = [
  operation({
    id: 'listRuns',
    method: 'get',
    path: '/runs',
    summary: 'List runs, newest first',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      job: v.optional(JobName),
      machine: v.optional(MachineName),
      instance: v.optional(InstanceName),
      tag: v.optional(v.pipe(Tag, v.description('Only runs with this tag.'))),
      state: v.optional(v.pipe(listOf(RunState), v.description('One or more states, separated by commas.'))),
      since: v.optional(v.pipe(InputTime, v.description('Only runs that ended after this time or have not ended.'))),
      until: v.optional(v.pipe(InputTime, v.description('Only runs that started before this time.'))),
      limit,
      cursor: cursor(RunPosition),
    },
    responses: { 200: json(RunList, 'A page of runs, as of their last change of state.') },
    handle: async ({ c, caller, query }) => {
      const { job, machine, instance, tag, state: states, cursor: after } = query;
      const filter = { jobGlob: caller.token.jobs, job, machine, instance, tag, states, ...readPeriod(query), after };
      const rows = await listRuns(c.env.DB, filter, query.limit + 1);
      const { page, next } = pageOf(rows, query.limit, ({ startedAt, id, job }) => `${startedAt}-${id}-${job}`);
      return c.json<v.InferOutput<typeof RunList>>({ runs: page.map(({ run }) => run), next_cursor: next });
    },
  }),
  operation({
    ...ofOneRun,
    id: 'getRun',
    path: '/runs/{run}',
    summary: 'Get a run',
    query: ofJob,
    responses: { 200: json(RunBody, 'The current state of the run.') },
    errors: ['unknown_run', 'run_ambiguous'],
    handle: async ({ c, caller, params, query }) => {
      const indexed = await requireRun(c, caller, params.run, query.job);
      // The index may be behind the object.
      const run = await storedRun(c, indexed.job, indexed.id);
      return c.json<v.InferOutput<typeof RunBody>>({ run: run ?? indexed });
    },
  }),
  operation({
    ...ofOneRun,
    id: 'listRunEvents',
    path: '/runs/{run}/events',
    summary: 'List the events of a run, oldest first',
    query: { ...ofJob, limit, cursor: cursor(wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER })) },
    responses: { 200: json(EventList, 'A page of events.') },
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
    summary: 'Get the output of a run',
    query: {
      ...ofJob,
      offset: v.optional(v.pipe(bytes, v.description('The offset to start at.')), '0'),
      tail: v.optional(
        v.pipe(bytes, v.description('Start this many bytes before the end. Mutually exclusive with `offset`.')),
      ),
      stream: v.optional(v.pipe(Stream, v.description('Only the output of this stream.'))),
      gaps: v.optional(
        v.pipe(
          v.picklist(['marked']),
          v.description(
            'Insert a line where bytes are missing, such as `[leash: 12 bytes of the output are missing here, from offset 100 to 112]`.',
          ),
        ),
      ),
    },
    headers: {
      Range:
        '`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`, in offsets. Cannot be combined with query parameters other than `job`. Ignored with `If-Range`: there is no validator, because the byte at an offset never changes.',
    },
    responses: {
      200: {
        description:
          'The output from the offset to its end so far, including what the wrapper of a running run has not sent yet, unless it does not answer within a second. Missing bytes are left out and listed in the headers; with `gaps=marked` also in the text.',
        content: { kind: 'text', type: OUTPUT_TYPE },
        headers: {
          'Accept-Ranges': { description: '`bytes`; `none` with `stream`, or if bytes are missing.', always: true },
          [OFFSET_HEADER]: { description: 'The offset of the first byte requested.', always: true },
          [NEXT_OFFSET_HEADER]: { description: 'The offset after the last byte sent.', always: true },
          [MISSING_BYTES_HEADER]: { description: 'How many of the requested bytes are missing.', always: true },
          [GAPS_HEADER]: {
            description: 'Which bytes are missing: comma-separated ranges `from-to` (`to` excluded), at most 100.',
            always: false,
          },
        },
      },
      206: {
        description:
          'The requested range up to its first gap; for `bytes=-COUNT`, after its last gap. `Content-Range` says which bytes these are.',
        content: { kind: 'text', type: OUTPUT_TYPE },
        headers: {
          'Accept-Ranges': { description: '`bytes`.', always: true },
          'Content-Range': { description: 'Which bytes these are, and how many are stored so far.', always: true },
          [OFFSET_HEADER]: { description: 'The offset of the first byte.', always: true },
          [NEXT_OFFSET_HEADER]: { description: 'The offset after the last byte sent.', always: true },
          [MISSING_BYTES_HEADER]: { description: 'Always 0.', always: true },
        },
      },
    },
    errors: ['unknown_run', 'run_ambiguous', 'range_not_satisfiable'],
    handle: async ({ c, caller, params, query }) => {
      const range = readRange(c);
      if (query.tail !== undefined && c.req.query('offset') !== undefined) {
        throw new ApiError('bad_request', '`offset` and `tail` are mutually exclusive.');
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

/** @throws ApiError `bad_request` if it ends before it begins */
function readPeriod(query: { since?: string | undefined; until?: string | undefined }) {
  const since = query.since === undefined ? undefined : Date.parse(query.since);
  const until = query.until === undefined ? undefined : Date.parse(query.until);
  if (since !== undefined && until !== undefined && since >= until) {
    throw new ApiError('bad_request', '`until` must be after `since`.');
  }
  return { since, until };
}

/**
 * The `Range` header; null if there is none, or it is to be ignored.
 *
 * @throws ApiError `bad_request` with a parameter that also selects output
 */
function readRange(c: AppContext): RangeRequest | null {
  const header = c.req.header('Range');
  // HTTP defines it for GET only.
  if (header === undefined || c.req.raw.method !== 'GET' || c.req.header('If-Range') !== undefined) return null;
  const range = parseRange(header);
  if (range !== null && Object.keys(c.req.queries()).some((name) => name !== 'job')) {
    throw new ApiError('bad_request', '`Range` cannot be combined with `offset`, `tail`, `stream` or `gaps`.');
  }
  return range;
}

/** The run as its job's object has it; null if it has none. */
function storedRun(c: AppContext, job: string, id: string): Promise<Run | null> {
  return callJob(c.env, job, (object) => object.run(id));
}

/**
 * The run as D1 has it; if it has left the index, and `job` is given, as its object has it. A run of a job that the caller
 * may not see counts as unknown.
 *
 * @throws ApiError `unknown_run`; `run_ambiguous` if several jobs have a run with this id and `job` isn't given
 */
async function requireRun(c: AppContext, caller: Caller, id: string, job: string | undefined): Promise<Run> {
  const runs = await findRuns(c.env.DB, { id, jobGlob: caller.token.jobs, job: job ?? null });
  const [indexed] = runs;
  const isAllowed = job !== undefined && matchesGlob(caller.token.jobs, job);
  const run = indexed ?? (isAllowed ? await storedRun(c, job, id) : null);
  if (run === null) {
    throw new ApiError('unknown_run', job === undefined ? `No run has the id ${id}.` : `Job ${job} has no run ${id}.`);
  }
  if (runs.length > 1) {
    const jobs = runs.map((each) => each.job);
    throw new AmbiguousRun(id, jobs, 'Add `?job=`.');
  }
  return run;
}
