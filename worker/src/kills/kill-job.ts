/** `POST /jobs/{job}/kill`: one kill of one job. */
import type { Kill, KillRequest } from '#protocol/api';
import { type Enqueued, enqueueKill } from '../../shared/d1/kill-queue.ts';
import { callJob } from '../../shared/rpc/job-object.ts';
import { ApiError } from '../api-error.ts';
import { deliver } from './deliver.ts';
import { idempotencyOf, type KillCall, keyReused } from './kill-call.ts';
import { currentKill } from './kill-wait.ts';
import { killAudit, newKill } from './new-kill.ts';

/** Stores a kill, delivers it, and waits up to `waitSeconds` until it is settled or has expired. */
export async function killJob(call: KillCall, job: string, request: KillRequest, waitSeconds: number): Promise<Kill> {
  const kill = await enqueue(call, job, request);
  const [delivered = kill] = await deliver(call, job, [kill]);
  return waitSeconds === 0 ? delivered : currentKill(call, delivered, waitSeconds);
}

/** Stores the kill in the queue. @returns the earlier kill when the call repeats an earlier one */
async function enqueue(call: KillCall, job: string, request: KillRequest): Promise<Kill> {
  const { env, token } = call;
  const kill = newKill(call, job, request);
  const idempotency = idempotencyOf(call, [job, request]);
  const store = (isKnown: boolean) =>
    enqueueKill(env.DB, kill, killAudit(call, kill), idempotency, { jobGlob: token.jobs, isKnown });
  const first = await store(false);
  if (first.kind !== 'unknown_job' && first.kind !== 'foreign_run') return enqueuedKill(first, kill);
  // The index learns of a new job or run a moment after the job's object: ask the object before refusing.
  const isKnown = await callJob(env, job, (object) => object.hasRun(kill.run));
  return enqueuedKill(isKnown ? await store(true) : first, kill);
}

function enqueuedKill(enqueued: Enqueued, kill: Kill): Kill {
  switch (enqueued.kind) {
    case 'stored':
      return kill;
    case 'repeated':
      return enqueued.kill;
    case 'key_reused':
      throw keyReused();
    case 'foreign_run':
      throw new ApiError('unknown_run', `Run ${kill.run} belongs to job ${enqueued.job}, not to ${kill.job}.`);
    case 'unknown_job':
      throw new ApiError(
        'unknown_job',
        `Job ${kill.job} has no runs. Check the name, or name a run or instance to kill it when it connects.`,
      );
  }
}
