/** `POST /kills`: one kill for each matching job, or one for each run that is named. All are stored together. */
import { monotonicFactory, ulid } from 'ulid';
import type { Kill, KillManyRequest, KillRequest, RunOfJob } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { mapConcurrent } from '#shared/map-concurrent';
import { withTimeout } from '#shared/with-timeout';
import { d1Failure } from '../../shared/d1/failure.ts';
import { type EarlierUse, earlierUse, type IdempotencyKey } from '../../shared/d1/idempotency.ts';
import { jobNames } from '../../shared/d1/jobs.ts';
import { batchKills, isBatchOpen } from '../../shared/d1/kill-batches.ts';
import { storeKills } from '../../shared/d1/new-kills.ts';
import { findRunNames, jobsWithOpenRuns, MAX_NAMESAKES } from '../../shared/d1/runs.ts';
import type { TokenRecord } from '../../shared/d1/tokens.ts';
import { log } from '../../shared/log.ts';
import { newKill } from '../../shared/new-kill.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import { AmbiguousRun, ApiError } from '../api-error.ts';
import { deliver, deliverAll } from './deliver.ts';
import { callerToken, type KillCall, keyOf, keyReused } from './kill-call.ts';
import { killWithoutD1 } from './kill-without-d1.ts';

/** A batch of D1 has its limits. */
const MAX_JOBS = 10_000;
/** How many jobs may be asked for runs that the index doesn't have. */
const MAX_ASKED = 50;
/** The kills of all jobs wait for this: a job that takes longer counts as having some. */
const ASK_LIMIT_MS = 1_000;
const POLL_MS = 500;
/** How many unknown runs an error lists. */
const LISTED_RUNS = 5;

interface Batch {
  readonly batch: string;
  readonly kills: readonly Kill[];
  readonly key: IdempotencyKey | null;
}

/** A call whose caller is verified. */
interface Verified extends KillCall {
  readonly token: TokenRecord;
}

/** A kill that is to be made. */
type JobRequest = KillRequest & { readonly job: string };

/**
 * Stores kills, delivers them, and waits up to `waitSeconds` until all are settled or have expired.
 *
 * @param batchId the id of their batch; absent: a new one
 */
export async function killMany(
  call: KillCall,
  request: KillManyRequest,
  waitSeconds: number,
  batchId: string = ulid(),
): Promise<readonly Kill[]> {
  const stored = await enqueueIfAvailable(call, request, batchId);
  // Only D1 could say when they are all over.
  if (stored === null) return killWithoutD1(call, request);
  const { batch, kills, key } = stored;
  const delivered = await deliverAll(kills, (job, ofJob) => deliver(call, job, ofJob, { key }));
  if (waitSeconds === 0 || delivered.length === 0) return delivered;
  // One query now and then for all of them keeps no object awake.
  const until = Date.now() + waitSeconds * 1000;
  while ((await isBatchOpen(call.env.DB, batch)) && Date.now() < until) {
    await scheduler.wait(Math.min(POLL_MS, Math.max(1, until - Date.now())));
  }
  return batchKills(call.env.DB, batch);
}

/** Null while D1 is away. */
async function enqueueIfAvailable(call: KillCall, request: KillManyRequest, id: string): Promise<Batch | null> {
  try {
    return await enqueue({ ...call, token: await callerToken(call) }, request, id);
  } catch (error) {
    const failure = d1Failure(error);
    if (failure !== 'unavailable' && failure !== 'full') throw error;
    log.error('kills_not_stored', error, { request: call.requestId });
    return null;
  }
}

/** Stores the kills. @returns the earlier ones when the call repeats an earlier one */
async function enqueue(call: Verified, request: KillManyRequest, id: string): Promise<Batch> {
  const ofCall = keyOf(call, request);
  const key = ofCall && { ...ofCall, actor: call.token.id };
  const requests = await requestsOf(call, request);
  if (requests instanceof ApiError) {
    // The runs may have been known, and unambiguous, when the call was first made.
    const earlier = key && (await earlierUse(call.env.DB, key));
    if (earlier === null) throw requests;
    return repeated(earlier, key);
  }
  const newKillId = monotonicFactory();
  const kills = requests.map(({ job, ...ofJob }) => newKill(call, job, ofJob, { id, newKillId }));
  const caller = { kind: 'known', caller: call.token } as const;
  const { isStored } = await storeKills(call.env.DB, { kills, batch: id, key: ofCall }, caller, 'batch');
  if (!isStored) return repeated(key && (await earlierUse(call.env.DB, key)), key);
  const requested_by = call.token.name;
  return { batch: id, kills: kills.map(({ kill }) => ({ ...kill, requested_by })), key };
}

function repeated(earlier: EarlierUse | null, key: IdempotencyKey | null): Batch {
  if (earlier === null) throw new Error('D1 has neither stored the kills nor an earlier call with their key');
  if (earlier.kind === 'key_reused') throw keyReused();
  return { ...earlier, key };
}

/** @returns an error where a run that is named is unknown or ambiguous */
async function requestsOf(call: Verified, request: KillManyRequest): Promise<readonly JobRequest[] | ApiError> {
  const { jobs, machines, instance, runs, ...options } = request;
  const { env, token } = call;
  if (runs !== undefined) {
    const found = await resolveRuns(call, runs);
    return found instanceof ApiError ? found : found.map((run) => ({ ...run, ...options }));
  }
  const matching = await jobsWithOpenRuns(env.DB, { jobGlob: token.jobs, jobs, machines, instance }, MAX_JOBS + 1);
  if (matching.length > MAX_JOBS) {
    throw new ApiError('bad_request', `This matches more than ${MAX_JOBS} jobs. Match fewer with each call.`);
  }
  const ofJob = { instance, machine: machines?.join(','), ...options };
  const unindexed = await unindexedJobs(call, { jobs, indexed: matching, ofJob });
  return [...matching, ...unindexed].sort().map((job) => ({ job, ...ofJob }));
}

interface UnindexedQuery {
  readonly jobs: readonly string[] | undefined;
  /** The jobs that the index has returned. */
  readonly indexed: readonly string[];
  readonly ofJob: KillRequest;
}

/**
 * Jobs with runs to kill that the index doesn't have yet: a kill must reach what runs. Asks the objects of jobs that the
 * request names in full, and of those that it matches if they are few. A job whose object can't be reached counts.
 */
async function unindexedJobs(call: Verified, { jobs, indexed, ofJob }: UnindexedQuery): Promise<string[]> {
  const { env, token } = call;
  const known = await jobNames(env.DB, { jobGlob: token.jobs, jobs, except: indexed }, MAX_ASKED + 1);
  const named = (jobs ?? []).filter((job) => !job.includes('*') && matchesGlob(token.jobs, job));
  const candidates = new Set([...named, ...(known.length > MAX_ASKED ? [] : known)]);
  for (const job of indexed) candidates.delete(job);
  const found = await mapConcurrent([...candidates], MAX_ASKED, async (job) => {
    try {
      const { kill } = newKill(call, job, ofJob);
      const asked = callJob(env, job, (object) => object.matchesAnyRun(kill));
      return (await withTimeout(asked, ASK_LIMIT_MS, { what: `the object of ${job}` })) ? [job] : [];
    } catch (error) {
      log.error('job_not_asked', error, { request: call.requestId, job });
      return [job];
    }
  });
  return found.flat();
}

/** The runs with their jobs, in the same order. A run that is named with its job need not be in the index. */
async function resolveRuns(
  { env, token }: Verified,
  runs: readonly (string | RunOfJob)[],
): Promise<RunOfJob[] | ApiError> {
  const bare = runs.filter((entry) => typeof entry === 'string');
  const found = bare.length === 0 ? [] : await findRunNames(env.DB, bare, token.jobs);
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
    const remedy = 'Name it with its job: {"job": …, "run": …}. No kill was stored.';
    return new AmbiguousRun(ambiguous.run, ambiguous.jobs.slice(0, MAX_NAMESAKES), remedy);
  }
  return candidates.flatMap(({ run, jobs }) => jobs.map((job) => ({ job, run })));
}

function unknownRuns(runs: readonly string[]): string {
  const listed = runs.slice(0, LISTED_RUNS).join(', ');
  const more = runs.length > LISTED_RUNS ? ` and ${runs.length - LISTED_RUNS} more` : '';
  return `Unknown ${runs.length === 1 ? 'run' : 'runs'} ${listed}${more}. No kill was stored.`;
}
