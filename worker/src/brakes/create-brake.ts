/**
 * `POST /brakes`: the brake is stored first, then what runs is killed. In this order no run slips through: one that is known
 * by then is killed now, one that connects later brings the brake with it, and one in between the sweep finds.
 */
import type { Kill } from '#protocol/api';
import { brakeReason, type NewBrake } from '#protocol/brakes';
import { MAX_BRAKES } from '#protocol/limits';
import { recordAudit } from '../../shared/d1/audit.ts';
import {
  type BrakeRecord,
  earlierBrake,
  findBrake,
  insertBrake,
  isWithinJobs,
  newBrake,
} from '../../shared/d1/brakes.ts';
import { batchKills } from '../../shared/d1/kill-batches.ts';
import type { TokenRecord } from '../../shared/d1/tokens.ts';
import { log } from '../../shared/log.ts';
import { ApiError } from '../api-error.ts';
import { auditEntry } from '../audit-entry.ts';
import { type KillCall, keyOf, keyReused } from '../kills/kill-call.ts';
import { killMany } from '../kills/kill-many.ts';
import { enforce } from './enforce.ts';

/** A call whose caller is verified. */
export interface BrakeCall extends KillCall {
  readonly known: TokenRecord;
}

export interface CreatedBrake {
  readonly brake: BrakeRecord;
  /** What it has ended at once, or is about to. */
  readonly kills: readonly Kill[];
}

/** @throws ApiError `forbidden`, `too_many_brakes` or `idempotency_conflict` */
export async function createBrake(call: BrakeCall, request: NewBrake): Promise<CreatedBrake> {
  const token = call.known;
  const brake = newBrake(request.jobs.includes('*') ? { ...request, jobs: [token.jobs] } : request, token, Date.now());
  requireWithin(brake, token);
  const ofCall = keyOf(call, request);
  const key = ofCall && { ...ofCall, actor: token.id };
  const { env } = call;
  const { id, jobs, machines, reason, kill } = brake;
  const until = new Date(brake.until).toISOString();
  const results = await env.DB.batch([
    ...insertBrake(env.DB, brake, key),
    recordAudit(
      env.DB,
      auditEntry(call, {
        actor: token,
        action: 'brake_created',
        subject: id,
        detail: { jobs, machines, reason, until, kill },
      }),
      { table: 'brakes', id },
    ),
  ]);
  const isStored = results.at(-1)?.meta.changes !== 0;
  if (isStored && kill) return { brake, kills: await killMatching(call, brake) };
  if (isStored) {
    await refuseWaiting(call, brake);
    return { brake, kills: [] };
  }
  const earlier = key && (await earlierBrake(env.DB, key));
  if (earlier === null) throw tooMany();
  if (!earlier.isSame) throw keyReused();
  const known = await findBrake(env.DB, earlier.id, Date.now());
  if (known === null) throw new ApiError('unknown_brake', 'The brake that this call made has ended.');
  return { brake: known, kills: await batchKills(env.DB, known.id) };
}

/** @throws ApiError `forbidden` if it is for a job that the token isn't for */
export function requireWithin(brake: Pick<BrakeRecord, 'jobs'>, token: TokenRecord): void {
  if (isWithinJobs(brake, token.jobs)) return;
  throw new ApiError(
    'forbidden',
    `The token is valid for the jobs ${token.jobs}: a brake for others requires another.`,
  );
}

function tooMany(): ApiError {
  return new ApiError('too_many_brakes', `There are ${MAX_BRAKES} brakes already. End some, or let one match more.`);
}

/** Runs that wait must not start during the maintenance. The sweep repeats what fails. */
async function refuseWaiting(call: BrakeCall, brake: BrakeRecord): Promise<void> {
  try {
    await enforce(call.env, [brake]);
  } catch (error) {
    log.error('brake_not_enforced', error, { request: call.requestId, brake: brake.id });
  }
}

/** The brake stands, whatever becomes of this: the sweep kills what this call could not. */
async function killMatching(call: BrakeCall, { id, jobs, machines, reason }: BrakeRecord): Promise<readonly Kill[]> {
  const request = { jobs: [...jobs], machines: [...machines], reason: brakeReason(reason) };
  try {
    return await killMany({ ...call, idempotencyKey: null }, request, 0, id);
  } catch (error) {
    log.error('brake_not_enforced', error, { request: call.requestId, brake: id });
    return [];
  }
}
