/**
 * `POST /jobs/{job}/kill`: one kill of one job.
 *
 * It is offered to the job's object and to D1 at the same time, under the same id. The call succeeds as soon as one of them
 * has it durably, so it waits for neither that is slow, and works without either.
 */
import type { Kill, KillRequest } from '#protocol/api';
import { withTimeout } from '#shared/with-timeout';
import { d1Failure } from '../../shared/d1/failure.ts';
import { earlierUse } from '../../shared/d1/idempotency.ts';
import { type KillCondition, type NewKill, type NewKills, storeKills } from '../../shared/d1/new-kills.ts';
import { findRuns } from '../../shared/d1/runs.ts';
import { log } from '../../shared/log.ts';
import { newKill } from '../../shared/new-kill.ts';
import { ApiError, databaseUnavailable, unavailable } from '../api-error.ts';
import { deliver } from './deliver.ts';
import { callerOf, type KillCall, keyOf, keyReused, type VerifiedCaller } from './kill-call.ts';
import { currentKill } from './kill-wait.ts';
import { type Offered, offer } from './offer.ts';

/** How long a call whose kill D1 has waits for the object, if it needs it to respond with the kill's targets. */
const OBJECT_LIMIT_MS = 1_000;

/** Stores a kill, delivers it, and waits up to `waitSeconds` until it is settled or has expired. */
export async function killJob(call: KillCall, job: string, request: KillRequest, waitSeconds: number): Promise<Kill> {
  const made = newKill(call, job, request);
  const kills = { kills: [made], batch: null, key: keyOf(call, [job, request]) };
  const offered = offer(call, job, kills);
  const atObject = offered.then(killAtObject);
  const atD1 = storeInD1(call, made, kills, offered);
  const kill = await firstDurable(call, atObject, atD1);
  return waitSeconds === 0 ? kill : currentKill(call, kill, waitSeconds);
}

/** The kill as the first store has it that has one. @throws ApiError if neither has */
async function firstDurable(call: KillCall, atObject: Promise<Kill>, atD1: Promise<Kill>): Promise<Kill> {
  // D1 gets the kill all the same; if it fails, from the object.
  call.waitUntil(atD1.catch(() => {}));
  try {
    return await Promise.any([atObject, atD1]);
  } catch {
    const [object, d1] = await Promise.allSettled([atObject, atD1]);
    throw refusal(reasonOf(object), reasonOf(d1));
  }
}

/** What D1 says counts, if it says anything: it knows more. */
function refusal(object: unknown, d1: unknown): unknown {
  if (d1Failure(d1) === null) return d1;
  log.error('kill_not_stored', d1);
  return object instanceof ApiError ? object : databaseUnavailable();
}

function reasonOf(settled: PromiseSettledResult<Kill>): unknown {
  return settled.status === 'rejected' ? settled.reason : null;
}

// --- the job's object ---

/** @throws if the object has not taken it */
function killAtObject(offered: Offered): Kill {
  const kill = offered.kind === 'taken' || offered.kind === 'repeated' ? offered.kills[0] : undefined;
  if (kill !== undefined) return kill;
  throw offered.kind === 'key_reused' ? keyReused() : new Error('the object has not taken the kill');
}

// --- D1 ---

/** @returns the kill as it is once its object has it too, if that doesn't take long */
async function storeInD1(call: KillCall, made: NewKill, kills: NewKills, offered: Promise<Offered>): Promise<Kill> {
  const { env } = call;
  const store = async (condition: KillCondition) => {
    const stored = await storeKills(env.DB, kills, callerOf(call), condition);
    // Throws if this caller may not kill the job.
    const caller = stored.found === null ? null : call.verify(stored.found);
    return { ...stored, caller };
  };
  let stored = await store('job');
  if (stored.isStored) return delivered(call, made, kills.key, stored.caller, offered);
  const token = stored.caller?.token ?? call.known;
  const key = kills.key && token && { ...kills.key, actor: token.id };
  const earlier = key && (await earlierUse(env.DB, key));
  if (earlier?.kind === 'key_reused') throw keyReused();
  const [repeated] = earlier?.kills ?? [];
  if (repeated !== undefined) return (await deliver(call, made.kill.job, [repeated], { key }))[0] ?? repeated;
  // The index learns of a new job or run a moment after the job's object: ask the object before refusing.
  const object = await offered;
  if (object.kind === 'failed') throw unavailable('The job can’t be reached. Try again.');
  if (object.kind === 'passed' && !object.isKnown) throw await unknown(call, made.kill, token?.jobs ?? '');
  stored = await store('nothing');
  if (stored.isStored) return delivered(call, made, kills.key, stored.caller, offered);
  throw new Error(`D1 has not stored kill ${made.kill.id}`);
}

/** D1 has the kill: if the object hasn't taken it, it gets it now. */
async function delivered(
  call: KillCall,
  { kill }: NewKill,
  key: NewKills['key'],
  caller: VerifiedCaller | null,
  offered: Promise<Offered>,
): Promise<Kill> {
  const requestedAt = Date.parse(kill.requested_at);
  const token = caller?.token ?? call.known;
  const stored = { ...kill, requested_by: token?.name ?? '', stored_ms: Math.max(0, Date.now() - requestedAt) };
  const push = async () => {
    const object = await offered;
    if (object.kind === 'taken' || object.kind === 'repeated') return object.kills[0] ?? stored;
    const origin = { by: caller?.confirmed ?? null, key: key && token && { ...key, actor: token.id } };
    return (await deliver(call, kill.job, [stored], origin))[0] ?? stored;
  };
  const pushed = push();
  call.waitUntil(pushed);
  // Where the targets are known, the response does not wait until the object, too, has stored the kill.
  const soonest = offered.then((object) => withForeseenTargets(stored, object) ?? pushed);
  return withTimeout(soonest, OBJECT_LIMIT_MS, { fallback: stored });
}

/** The kill with the targets that the object will store with it; null if it foresees none. */
function withForeseenTargets(stored: Kill, object: Offered): Kill | null {
  const [foreseen] = (object.kind === 'passed' && object.foreseen) || [];
  return foreseen === undefined ? null : { ...stored, targets: foreseen.targets, found_nothing: false };
}

async function unknown({ env }: KillCall, { job, run }: Kill, jobGlob: string): Promise<ApiError> {
  const [found] = run === null ? [] : await findRuns(env.DB, { id: run, jobGlob, job: null });
  if (found !== undefined && found.job !== job) {
    return new ApiError('unknown_run', `Run ${run} belongs to job ${found.job}, not to ${job}.`);
  }
  return new ApiError(
    'unknown_job',
    `Job ${job} has no runs. Check the name, or name a run or instance to kill it when it connects.`,
  );
}
