/**
 * The Cron Trigger: catches what a failed call or an alarm that never rang left behind, and removes what D1 has kept long
 * enough.
 */

import { withTimeout } from '#shared/with-timeout';
import { purgeAudit } from '../shared/d1/audit.ts';
import { purgeIdempotencyKeys } from '../shared/d1/idempotency.ts';
import { markChecked, uncheckedJobs } from '../shared/d1/jobs.ts';
import { jobsWithUnacceptedKills } from '../shared/d1/kill-queue.ts';
import { purgeLeftOverKills } from '../shared/d1/kills.ts';
import { purgeLeftOverRuns } from '../shared/d1/runs.ts';
import { purgeSessions } from '../shared/d1/sessions.ts';
import { purgeSecrets } from '../shared/d1/tokens.ts';
import type { Env } from '../shared/env.ts';
import { log } from '../shared/log.ts';
import { callJob } from '../shared/rpc/job-object.ts';
import { daysInMs, readSettings } from '../shared/settings.ts';
import { closeStaleSockets } from './revocation.ts';

/** An object call is a subrequest, and one invocation has a thousand. */
const JOBS_PER_SWEEP = 200;
const OBJECTS_TO_REVOKE_PER_SWEEP = 400;
/** A job that should be running is looked after this often, so that waking its object costs next to nothing. */
const CHECK_INTERVAL_MS = 15 * 60 * 1000;
/** One that never answers must not hold up what the others have earned. */
const CALL_LIMIT_MS = 60_000;
/** Any other job, for the sake of what it has kept long enough. */
const IDLE_CHECK_INTERVAL_MS = daysInMs(7);
const IDEMPOTENCY_MS = daysInMs(1);
/** For so long whoever shows a secret that was replaced is told so. */
const REPLACED_SECRET_MS = daysInMs(30);
/** The objects remove runs and kills from D1 as they remove their own. What D1 has this long after is left over. */
const LEFT_OVER_MS = daysInMs(7);

/** One statement removes at most this many rows, so that D1, which does one thing at a time, is never busy for long. */
const ROWS_PER_STATEMENT = 1_000;
const STATEMENTS_PER_SWEEP = 10;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  const waiting = await jobsWithUnacceptedKills(env.DB, JOBS_PER_SWEEP);
  const since = { live: now - CHECK_INTERVAL_MS, idle: now - IDLE_CHECK_INTERVAL_MS };
  const unchecked = await uncheckedJobs(env.DB, since, JOBS_PER_SWEEP);
  const jobs = [...new Set([...waiting, ...unchecked])];
  const reached = await Promise.all(jobs.map((job) => reconcileJob(env, job)));
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
  await closeStaleSockets(env, OBJECTS_TO_REVOKE_PER_SWEEP);
  await purgeOld(env, now);
}

async function purgeOld(env: Env, now: number): Promise<void> {
  const { runDays, auditDays } = readSettings(env);
  const leftOver = now - daysInMs(runDays) - LEFT_OVER_MS;
  const db = env.DB;
  await inBatches(purgeSessions(db, now, ROWS_PER_STATEMENT));
  await inBatches(purgeSecrets(db, now - REPLACED_SECRET_MS, ROWS_PER_STATEMENT));
  await inBatches(purgeIdempotencyKeys(db, now - IDEMPOTENCY_MS, ROWS_PER_STATEMENT));
  await inBatches(purgeAudit(db, now - daysInMs(auditDays), ROWS_PER_STATEMENT));
  await inBatches(purgeLeftOverRuns(db, leftOver, ROWS_PER_STATEMENT));
  await inBatches(purgeLeftOverKills(db, leftOver, ROWS_PER_STATEMENT));
}

/** What is left after so many statements is for the next sweep. */
async function inBatches(statement: D1PreparedStatement): Promise<void> {
  for (let count = 0; count < STATEMENTS_PER_SWEEP; count++) {
    const { meta } = await statement.run();
    if (meta.changes < ROWS_PER_STATEMENT) return;
  }
}

/** One object that fails must not keep the others from being called. @returns whether it was reached */
async function reconcileJob(env: Env, job: string): Promise<boolean> {
  try {
    await withTimeout(
      callJob(env, job, (object) => object.lookAfter()),
      CALL_LIMIT_MS,
      { what: `the object of ${job}` },
    );
    return true;
  } catch (error) {
    log.error('sweep_failed', error, { job });
    return false;
  }
}
