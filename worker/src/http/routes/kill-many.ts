/**
 * `POST /kills`: stop whatever matches, in any job, by one kill for each job; or the runs that are named, by one for
 * each run. All are stored together.
 */
import { monotonicFactory, ulid } from 'ulid';
import type * as v from 'valibot';
import { type Kill, KillManyRequest, type KillRequest, KillsBody, type RunOfJob } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { mapConcurrent } from '#shared/map-concurrent';
import { jobNames } from '../../../shared/d1/jobs.ts';
import { batchKills, enqueueBatch, isBatchOpen } from '../../../shared/d1/kill-batches.ts';
import { type EarlierUse, earlierUse, type IdempotencyKey } from '../../../shared/d1/kills.ts';
import { findRunNames, jobsWithOpenRuns, MAX_NAMESAKES } from '../../../shared/d1/runs.ts';
import type { TokenRecord } from '../../../shared/d1/tokens.ts';
import { log } from '../../../shared/log.ts';
import { callJob } from '../../../shared/rpc/job-object.ts';
import { AmbiguousRun } from '../../kills/ambiguous-run.ts';
import type { AppContext } from '../context.ts';
import { json, operation } from '../operation.ts';
import { wait } from '../parameters.ts';
import { ApiError } from '../problem-response.ts';
import { deliver, IDEMPOTENCY_HEADER, keyReused, killAudit, newKill, readIdempotencyKey } from './kill-job.ts';

/** What one call may store: a batch of D1 has its limits. */
const MAX_JOBS = 10_000;
/** An object call is a subrequest, it may be repeated once, and one invocation has a thousand. */
const MAX_PUSHES = 400;
const PUSHES_AT_ONCE = 50;
/** As many jobs are asked whether they have what the index does not know. */
const MAX_ASKED = 50;
const POLL_MS = 500;
/** So many of those that there are not are told by name. */
const NAMED_RUNS = 5;

export const killManyOperations = [
  operation({
    id: 'killMany',
    method: 'post',
    path: '/kills',
    summary: 'Stop whatever matches, in any job',
    description: `One kill for each job that has a run which matches and may still be alive; each then
is as if given to \`POST /jobs/{job}/kill\` with the same machines and instance. Only jobs that the caller may kill.
Or, with \`runs\`, one kill for each of these, as if given to \`POST /jobs/{job}/kill\` with that run.
A run is named by its id, or with its job where several jobs have reported the same id. All kills are stored together before they are answered, or none is.`,
    access: { kind: 'scope', scopes: ['kill'] },
    query: { wait },
    body: KillManyRequest,
    isKill: true,
    headers: IDEMPOTENCY_HEADER,
    answers: {
      200: json(KillsBody, 'Settled, all of them: what they were for has ended. None, when nothing matches.'),
      202: json(KillsBody, 'Stored; it goes on.'),
    },
    problems: ['unknown_run', 'run_ambiguous', 'idempotency_conflict'],
    handle: async ({ c, caller, query, body }) => {
      const { batch, kills } = await enqueue(c, caller.token, body);
      const delivered = await pushSome(kills, (job, ofJob) => deliver(c, job, ofJob));
      return answer(c, query.wait === 0 ? delivered : await afterWait(c, batch, query.wait, delivered));
    },
  }),
];

interface Enqueued {
  readonly batch: string;
  readonly kills: readonly Kill[];
}

/** Stores the kills. The call that repeats an earlier one gets that one's. */
async function enqueue(c: AppContext, token: TokenRecord, request: KillManyRequest): Promise<Enqueued> {
  const idempotency = readIdempotencyKey(c, token, request);
  const orders = await ordersOf(c, token, request, idempotency);
  if ('batch' in orders) return orders;
  const batch = ulid();
  const ofBatch = { id: batch, newKillId: monotonicFactory() };
  const kills = orders.map(({ job, ...order }) => newKill(c, token, job, order, ofBatch));
  const audits = kills.map((kill) => killAudit(c, token, kill));
  const earlier = await enqueueBatch(c.env.DB, { id: batch, kills, audits }, idempotency);
  return earlier === null ? { batch, kills } : repeated(earlier);
}

function repeated(earlier: EarlierUse): Enqueued {
  if (earlier.kind === 'key_reused') throw keyReused();
  return earlier;
}

/** What is to become a kill. */
type Order = KillRequest & { readonly job: string };

/** @returns instead what the call did when it was made before, where that is known already */
async function ordersOf(
  c: AppContext,
  token: TokenRecord,
  request: KillManyRequest,
  idempotency: IdempotencyKey | null,
): Promise<readonly Order[] | Enqueued> {
  const { jobs, machines, instance, runs, ...manner } = request;
  if (runs === undefined) {
    const matching = await jobsWithOpenRuns(c.env.DB, { jobGlob: token.jobs, jobs, machines, instance }, MAX_JOBS + 1);
    if (matching.length > MAX_JOBS) {
      throw new ApiError('bad_request', `This matches more than ${MAX_JOBS} jobs. Name fewer with each call.`);
    }
    const order = { instance, machine: machines?.join(','), ...manner };
    const unindexed = await jobsBesideIndex(c, token, { jobs, indexed: matching, order });
    return [...matching, ...unindexed].sort().map((job) => ({ job, ...order }));
  }
  const named = await resolveRuns(c.env.DB, token, runs);
  if (Array.isArray(named)) return named.map((run) => ({ ...run, ...manner }));
  // They may have been there, and of one job each, when the call was made first.
  const earlier = idempotency === null ? null : await earlierUse(c.env.DB, idempotency);
  if (earlier !== null) return repeated(earlier);
  throw named;
}

interface Beside {
  readonly jobs: readonly string[] | undefined;
  /** The jobs that the index gave. */
  readonly indexed: readonly string[];
  readonly order: KillRequest;
}

/**
 * Jobs that have something to kill of which the index does not know: a kill must reach what runs. Asked are the jobs that
 * the call names in full; and those that it matches otherwise, as long as they are few. One that does not answer counts.
 */
async function jobsBesideIndex(c: AppContext, token: TokenRecord, { jobs, indexed, order }: Beside): Promise<string[]> {
  const known = await jobNames(c.env.DB, { jobGlob: token.jobs, jobs, except: indexed }, MAX_ASKED + 1);
  const named = (jobs ?? []).filter((job) => !job.includes('*') && matchesGlob(token.jobs, job));
  const candidates = new Set([...named, ...(known.length > MAX_ASKED ? [] : known)]);
  for (const job of indexed) candidates.delete(job);
  const found = await mapConcurrent([...candidates], PUSHES_AT_ONCE, async (job) => {
    try {
      return (await callJob(c.env, job, (object) => object.wouldFind(newKill(c, token, job, order)))) ? [job] : [];
    } catch (error) {
      log.error('job_not_asked', error, { request: c.get('requestId'), job });
      return [job];
    }
  });
  return found.flat();
}

/** Whose runs are meant, in the same order; or why that can't be said. A run that is named with its job needs no index. */
async function resolveRuns(
  db: D1Database,
  token: TokenRecord,
  runs: readonly (string | RunOfJob)[],
): Promise<RunOfJob[] | ApiError> {
  const bare = runs.filter((entry) => typeof entry === 'string');
  const found = bare.length === 0 ? [] : await findRunNames(db, bare, token.jobs);
  const jobsOf = new Map<string, string[]>();
  for (const { id, job } of found) jobsOf.set(id, [...(jobsOf.get(id) ?? []), job]);
  const candidates = runs.map((entry) => {
    if (typeof entry === 'string') return { run: entry, jobs: jobsOf.get(entry) ?? [] };
    return { run: entry.run, jobs: matchesGlob(token.jobs, entry.job) ? [entry.job] : [] };
  });
  const unknown = candidates.filter(({ jobs }) => jobs.length === 0).map(({ run }) => run);
  if (unknown.length > 0) return new ApiError('unknown_run', unknownRuns(unknown));
  const ambiguous = candidates.find(({ jobs }) => jobs.length > 1);
  if (ambiguous !== undefined) {
    const remedy = 'Say which one by {"job": …, "run": …}. Nothing was stored.';
    return new AmbiguousRun(ambiguous.run, ambiguous.jobs.slice(0, MAX_NAMESAKES), remedy);
  }
  return candidates.flatMap(({ run, jobs }) => jobs.map((job) => ({ job, run })));
}

function unknownRuns(runs: readonly string[]): string {
  const named = runs.slice(0, NAMED_RUNS).join(', ');
  const more = runs.length > NAMED_RUNS ? ` and ${runs.length - NAMED_RUNS} more` : '';
  return `There ${runs.length === 1 ? 'is no run' : 'are no runs'} ${named}${more}. Nothing was stored.`;
}

/** Pushes to as many jobs as one call may, to each by one call; the sweep delivers the others. In the same order. */
export async function pushSome(
  kills: readonly Kill[],
  push: (job: string, kills: readonly Kill[]) => Promise<readonly Kill[]>,
): Promise<Kill[]> {
  const byJob = new Map<string, Kill[]>();
  for (const kill of kills) byJob.set(kill.job, [...(byJob.get(kill.job) ?? []), kill]);
  const groups = [...byJob].slice(0, MAX_PUSHES);
  const pushed = await mapConcurrent(groups, PUSHES_AT_ONCE, ([job, ofJob]) => push(job, ofJob));
  const latest = new Map(pushed.flat().map((kill) => [kill.id, kill]));
  return kills.map((kill) => latest.get(kill.id) ?? kill);
}

/** Asks D1 now and then, which is one query for all of them and keeps no object awake. */
async function afterWait(
  c: AppContext,
  batch: string,
  waitSeconds: number,
  delivered: readonly Kill[],
): Promise<readonly Kill[]> {
  if (delivered.length === 0) return delivered;
  const until = Date.now() + waitSeconds * 1000;
  while ((await isBatchOpen(c.env.DB, batch)) && Date.now() < until) {
    await scheduler.wait(Math.min(POLL_MS, Math.max(1, until - Date.now())));
  }
  return batchKills(c.env.DB, batch);
}

function answer(c: AppContext, kills: readonly Kill[]): Response {
  const body: v.InferOutput<typeof KillsBody> = { kills: [...kills] };
  return c.json(body, kills.every(({ state }) => state === 'settled') ? 200 : 202);
}
