/**
 * Has the jobs' objects do what brakes and maintenance ask for, at runs that connected before these were set: a brake kills
 * them, and maintenance keeps those that wait from starting. The sweep repeats it for those that were not known then.
 */
import { mapConcurrent } from '#shared/map-concurrent';
import { withTimeout } from '#shared/with-timeout';
import { type BrakeRecord, findActiveBrakes, readBrakes, standingOrder } from '../../shared/d1/brakes.ts';
import { jobsWithConnectedRuns } from '../../shared/d1/runs.ts';
import type { Env } from '../../shared/env.ts';
import { log } from '../../shared/log.ts';
import { callJob, type EnforcedBrake } from '../../shared/rpc/job-object.ts';

/** An object call is a subrequest, and one invocation has a thousand. The next sweep calls the rest. */
const JOBS_PER_SWEEP = 100;
const CALLS_AT_ONCE = 20;
/** An object that hangs must not delay the others. */
const CALL_LIMIT_MS = 10_000;

export async function enforceBrakes(env: Env, now: number): Promise<void> {
  const active = readBrakes(await findActiveBrakes(env.DB, now).all());
  await enforce(env, active);
}

export async function enforce(env: Env, brakes: readonly BrakeRecord[]): Promise<void> {
  const brakesOf = new Map<string, EnforcedBrake[]>();
  for (const brake of brakes) {
    const concerned = brake.kill ? (['waiting', 'running'] as const) : (['waiting'] as const);
    for (const job of await jobsWithConnectedRuns(env.DB, brake, concerned, JOBS_PER_SWEEP)) {
      brakesOf.set(job, [...(brakesOf.get(job) ?? []), enforced(brake)]);
    }
  }
  const jobs = [...brakesOf].slice(0, JOBS_PER_SWEEP);
  await mapConcurrent(jobs, CALLS_AT_ONCE, ([job, brakes]) => enforceAt(env, job, brakes));
}

function enforced(brake: BrakeRecord): EnforcedBrake {
  return { order: standingOrder(brake), machines: brake.machines };
}

/** Never throws: the next sweep tries again. */
async function enforceAt(env: Env, job: string, brakes: readonly EnforcedBrake[]): Promise<void> {
  try {
    await withTimeout(
      callJob(env, job, async (object) => await object.enforceBrakes(brakes)),
      CALL_LIMIT_MS,
      { what: `the object of ${job}` },
    );
  } catch (error) {
    log.error('brake_not_enforced', error, { job });
  }
}
