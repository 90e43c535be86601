/** The Cron Trigger: catches what a failed call or an alarm that never rang left behind. */
import type { Env } from '../env.ts';
import { log } from '../log.ts';
import { within } from '../within.ts';
import { forgetIdempotencyKeys, jobsWithUnacceptedCommands } from './db/commands.ts';
import { markChecked, uncheckedJobs } from './db/jobs.ts';
import { forgetSessions } from './db/sessions.ts';
import { callJob } from './job-client.ts';

/** An object call is a subrequest, and one invocation has a thousand. */
const JOBS_PER_SWEEP = 200;
/** A job that should be running is looked after this often, so that waking its object costs next to nothing. */
const CHECK_INTERVAL_MS = 15 * 60 * 1000;
/** One that never answers must not hold up what the others have earned. */
const CALL_LIMIT_MS = 60_000;
const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  const waiting = await jobsWithUnacceptedCommands(env.DB, JOBS_PER_SWEEP);
  const unchecked = await uncheckedJobs(env.DB, now - CHECK_INTERVAL_MS, JOBS_PER_SWEEP);
  const jobs = [...new Set([...waiting, ...unchecked])];
  const reached = await Promise.all(jobs.map((job) => lookAfter(env, job)));
  await env.DB.batch([
    markChecked(
      env.DB,
      jobs.filter((_job, index) => reached[index]),
      now,
    ),
    // One that failed is due again at the next sweep, but after all that have waited for longer.
    markChecked(
      env.DB,
      jobs.filter((_job, index) => !reached[index]),
      now - CHECK_INTERVAL_MS,
    ),
  ]);
  await env.DB.batch([forgetSessions(env.DB, now), forgetIdempotencyKeys(env.DB, now - IDEMPOTENCY_MS)]);
}

/** One object that fails must not keep the others from being called. @returns whether it was reached */
async function lookAfter(env: Env, job: string): Promise<boolean> {
  try {
    await within(
      CALL_LIMIT_MS,
      `the object of ${job}`,
      callJob(env, job, (object) => object.lookAfter()),
    );
    return true;
  } catch (error) {
    log.error('sweep_failed', error, { job });
    return false;
  }
}
