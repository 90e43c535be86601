/** `GET /report`: what happened in a period that someone should look at. */
import * as v from 'valibot';
import { MAX_REPORT_DAYS, ReportBody } from '#protocol/report';
import { InputTime } from '#protocol/time';
import { ApiError } from '../../api-error.ts';
import { buildReport } from '../../report/build-report.ts';
import { json, operation } from '../operation.ts';

const HOUR_MS = 60 * 60 * 1000;
const DEFAULT_PERIOD_MS = 12 * HOUR_MS;
const MAX_PERIOD_MS = MAX_REPORT_DAYS * 24 * HOUR_MS;

export const reportOperations = [
  operation({
    id: 'getReport',
    method: 'get',
    path: '/report',
    summary: 'Report what failed, was late, slow, skipped or killed in a period',
    description:
      'By job, the worst first. The period is at most 31 days long. What is late, slow or left running now is reported whenever it began, and what was late at some time of the period although it has come since. A run is slow if it takes longer than expected, or twice as long as the median of the job’s last 20 successful runs on that machine, and at least a minute longer; with fewer than 5 earlier runs it is not compared.',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      since: v.optional(
        v.pipe(InputTime, v.description('The beginning of the period; by default 12 hours before its end.')),
      ),
      until: v.optional(v.pipe(InputTime, v.description('The end of the period; by default now.'))),
    },
    responses: { 200: json(ReportBody, 'What was found.') },
    handle: async ({ c, caller, query }) => {
      const report = await buildReport(c.env.DB, { jobGlob: caller.token.jobs, ...readPeriod(query, Date.now()) });
      return c.json<v.InferOutput<typeof ReportBody>>({ report });
    },
  }),
];

function readPeriod(query: { since?: string | undefined; until?: string | undefined }, now: number) {
  const until = query.until === undefined ? now : Math.min(now, Date.parse(query.until));
  const since = query.since === undefined ? until - DEFAULT_PERIOD_MS : Date.parse(query.since);
  if (since >= until) throw new ApiError('bad_request', '`since` must be before `until`, and in the past.');
  if (until - since > MAX_PERIOD_MS) {
    throw new ApiError('bad_request', `The period must not be longer than ${MAX_REPORT_DAYS} days.`);
  }
  return { since, until };
}
