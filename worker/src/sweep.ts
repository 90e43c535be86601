/** The Cron Trigger: catches what a failed call or an alarm that never rang left behind. */
import type { Env } from '../env.ts';
import { log } from '../log.ts';
import { forgetIdempotencyKeys, jobsWithUnacceptedCommands } from './db/commands.ts';
import { takeUncheckedJobs } from './db/jobs.ts';
import { forgetSessions } from './db/sessions.ts';
import { callJob } from './job-client.ts';

/** An object call is a subrequest, and one invocation has a thousand. */
const JOBS_PER_SWEEP = 200;
/** A job that should be running is looked after this often, so that waking its object costs next to nothing. */
const CHECK_INTERVAL_MS = 15 * 60 * 1000;
const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  const waiting = await jobsWithUnacceptedCommands(env.DB, JOBS_PER_SWEEP);
  const unchecked = await takeUncheckedJobs(env.DB, now - CHECK_INTERVAL_MS, now, JOBS_PER_SWEEP);
  await Promise.all([...new Set([...waiting, ...unchecked])].map((job) => lookAfter(env, job)));
  await env.DB.batch([forgetSessions(env.DB, now), forgetIdempotencyKeys(env.DB, now - IDEMPOTENCY_MS)]);
}

/** One object that fails must not keep the others from being called; its turn comes again. */
async function lookAfter(env: Env, job: string): Promise<void> {
  try {
    await callJob(env, job, (object) => object.lookAfter());
  } catch (error) {
    log.error('sweep_failed', error, { job });
  }
}
