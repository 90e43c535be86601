/** The Cron Trigger: makes up for failed calls and alarms that did not fire, and purges old rows of D1. */

import { withTimeout } from '#shared/with-timeout';
import { purgeAudit } from '../shared/d1/audit.ts';
import { purgeBrakes } from '../shared/d1/brakes.ts';
import { KEY_MS, purgeIdempotencyKeys } from '../shared/d1/idempotency.ts';
import { markChecked, uncheckedJobs } from '../shared/d1/jobs.ts';
import { jobsWithUnacceptedKills } from '../shared/d1/kill-queue.ts';
import { purgeStaleKills } from '../shared/d1/kills.ts';
import { purgeOverdueRuns } from '../shared/d1/overdue-runs.ts';
import { purgeLastEnds, purgeStaleRuns } from '../shared/d1/runs.ts';
import { purgeSessions } from '../shared/d1/sessions.ts';
import { purgeSecrets } from '../shared/d1/tokens.ts';
import type { Env } from '../shared/env.ts';
import { log } from '../shared/log.ts';
import { callAlerts } from '../shared/rpc/alerts-object.ts';
import { callJob } from '../shared/rpc/job-object.ts';
import { daysInMs, readSettings } from '../shared/settings.ts';
import { enforceBrakes } from './brakes/enforce.ts';
import { makeRoom } from './index-room.ts';
import { closeStaleSockets } from './revocation.ts';

/** An object call is a subrequest, and one invocation has a thousand. */
const JOBS_PER_SWEEP = 200;
const OBJECTS_TO_REVOKE_PER_SWEEP = 400;
/** How often a job with live runs is reconciled. Waking its object costs next to nothing at this rate. */
const CHECK_INTERVAL_MS = 15 * 60 * 1000;
/** How often the alerts object is reconciled, should an alarm of its have been lost. */
const ALERTS_INTERVAL_MS = 15 * 60 * 1000;
/** How often a sweep takes place. */
const SWEEP_INTERVAL_MS = 60 * 1000;
/** An object that hangs must not delay the others. */
const CALL_LIMIT_MS = 60_000;
/** How often any other job is reconciled, for its retention. */
const IDLE_CHECK_INTERVAL_MS = daysInMs(7);
/** How long a replaced secret is recognised, so that its use gets a specific error. */
const REPLACED_SECRET_MS = daysInMs(30);
/** The objects purge their own runs and kills from D1. Rows that are older than retention by this much are left over. */
const LEFT_OVER_MS = daysInMs(7);

/** A limit for each statement, because D1 executes one at a time. */
const ROWS_PER_STATEMENT = 1_000;
const STATEMENTS_PER_SWEEP = 10;

export async function sweep(env: Env): Promise<void> {
  const now = Date.now();
  await inOrder([
    // These delete, which is all that a full D1 accepts.
    () => makeRoom(env),
    () => purgeOld(env, now),
    () => enforceBrakes(env, now),
    () => reconcileJobs(env, now),
    () => closeStaleSockets(env, OBJECTS_TO_REVOKE_PER_SWEEP),
    () => reconcileAlerts(env, now),
  ]);
}

/** Takes each step, whatever becomes of the others. @throws the first failure */
async function inOrder(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function reconcileJobs(env: Env, now: number): Promise<void> {
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
    // Those that failed are due at the next sweep, after all that have waited for longer.
    markChecked(
      env.DB,
      jobs.filter((_job, index) => !reached[index]),
      now - CHECK_INTERVAL_MS,
    ),
  ]);
}

async function reconcileAlerts(env: Env, now: number): Promise<void> {
  if (now % ALERTS_INTERVAL_MS >= SWEEP_INTERVAL_MS) return;
  const call = callAlerts(env, async (alerts) => await alerts.reconcile());
  await withTimeout(call, CALL_LIMIT_MS, { what: 'the alerts object' });
}

async function purgeOld(env: Env, now: number): Promise<void> {
  const { runDays, auditDays } = readSettings(env);
  const stale = now - daysInMs(runDays) - LEFT_OVER_MS;
  const db = env.DB;
  await inBatches(purgeSessions(db, now, ROWS_PER_STATEMENT));
  await inBatches(purgeBrakes(db, now, ROWS_PER_STATEMENT));
  await inBatches(purgeSecrets(db, now - REPLACED_SECRET_MS, ROWS_PER_STATEMENT));
  await inBatches(purgeIdempotencyKeys(db, now - KEY_MS, ROWS_PER_STATEMENT));
  await inBatches(purgeAudit(db, now - daysInMs(auditDays), ROWS_PER_STATEMENT));
  if ((await inBatches(purgeStaleRuns(db, stale, ROWS_PER_STATEMENT))) > 0) await purgeLastEnds(db).run();
  await inBatches(purgeStaleKills(db, stale, ROWS_PER_STATEMENT));
  await inBatches(purgeOverdueRuns(db, now - daysInMs(runDays), ROWS_PER_STATEMENT));
}

/** The next sweep continues after `STATEMENTS_PER_SWEEP`. @returns how many rows were removed */
async function inBatches(statement: D1PreparedStatement): Promise<number> {
  let removed = 0;
  for (let count = 0; count < STATEMENTS_PER_SWEEP; count++) {
    const { meta } = await statement.run();
    removed += meta.changes;
    if (meta.changes < ROWS_PER_STATEMENT) break;
  }
  return removed;
}

/** Never throws. @returns whether the object was reached */
async function reconcileJob(env: Env, job: string): Promise<boolean> {
  try {
    await withTimeout(
      callJob(env, job, (object) => object.reconcile()),
      CALL_LIMIT_MS,
      { what: `the object of ${job}` },
    );
    return true;
  } catch (error) {
    log.error('sweep_failed', error, { job });
    return false;
  }
}
