/** `POST /jobs/{job}/kill`: stop what runs. */
import { ulid } from 'ulid';
import * as v from 'valibot';
import { type Kill, KillBody, KillRequest } from '#protocol/api';
import { showInvisible } from '#protocol/invisible-characters';
import { JobName } from '#protocol/names';
import type { AuditEntry } from '../../../shared/d1/audit.ts';
import { type Enqueued, enqueueKill, type IdempotencyKey } from '../../../shared/d1/kills.ts';
import type { TokenRecord } from '../../../shared/d1/tokens.ts';
import { sha256 } from '../../../shared/hash.ts';
import { log } from '../../../shared/log.ts';
import { callJob } from '../../../shared/rpc/job-object.ts';
import { readSettings } from '../../../shared/settings.ts';
import { auditEntry } from '../audit-entry.ts';
import type { Caller } from '../authentication.ts';
import type { AppContext } from '../context.ts';
import { json, operation } from '../operation.ts';
import { wait } from '../parameters.ts';
import { ApiError } from '../problem-response.ts';
import { killAfter } from './kills.ts';

export const IDEMPOTENCY_HEADER = {
  'Idempotency-Key': 'Any text of up to 128 characters. The same call with the same key is made once.',
};
const IdempotencyKeyValue = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

export const killJobOperations = [
  operation({
    id: 'killJob',
    method: 'post',
    path: '/jobs/{job}/kill',
    summary: 'Stop what runs of a job',
    description:
      'Stored before it is answered, and sent until it is done. Matches what runs now, and runs that started before and connect before `expires_at`.',
    access: { kind: 'scope', scopes: ['kill'] },
    params: { job: JobName },
    query: { wait },
    body: KillRequest,
    isKill: true,
    headers: IDEMPOTENCY_HEADER,
    answers: {
      200: json(KillBody, 'Settled: all that it was for has ended.'),
      202: json(KillBody, 'Stored; it goes on.'),
    },
    problems: ['unknown_job', 'unknown_run', 'idempotency_conflict'],
    handle: async ({ c, caller, params, query, body }) => {
      const kill = await enqueue(c, caller, params.job, body);
      const [delivered = kill] = await deliver(c, params.job, [kill]);
      return answer(c, query.wait === 0 ? delivered : await killAfter(c, delivered, query.wait));
    },
  }),
];

/** Stores the kill in the queue. The call that repeats an earlier one gets that one's kill. */
async function enqueue(c: AppContext, { token }: Caller, job: string, request: KillRequest): Promise<Kill> {
  const kill = newKill(c, token, job, request);
  const audit = killAudit(c, token, kill);
  const idempotency = readIdempotencyKey(c, token, [job, request]);
  const store = (isKnown: boolean) => enqueueKill(c.env.DB, kill, audit, idempotency, { jobGlob: token.jobs, isKnown });
  return enqueuedKill(await orIfKnownToObject(await store(false)), kill);

  /** D1 hears of a new job and run a moment after the job's object does: before saying no, ask the object. */
  async function orIfKnownToObject(first: Enqueued): Promise<Enqueued> {
    if (first.kind !== 'unknown_job' && first.kind !== 'foreign_run') return first;
    const isKnown = await callJob(c.env, job, (object) => object.knows(kill.run));
    return isKnown ? store(true) : first;
  }
}

export function killAudit(c: AppContext, token: TokenRecord, kill: Kill): AuditEntry {
  const { id, job, run, instance, machine, signal, grace_ms, include, reason } = kill;
  return auditEntry(c, {
    at: Date.parse(kill.requested_at),
    actor: token,
    action: 'kill',
    subject: job,
    detail: { kill: id, run, instance, machine, signal, grace_ms, include, reason },
  });
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
      throw new ApiError(
        'unknown_run',
        `The run ${kill.run} is not one of ${kill.job} but of ${enqueued.job}: kill it there.`,
      );
    case 'unknown_job':
      throw new ApiError(
        'unknown_job',
        `No run of ${kill.job} was ever seen. Check the name, or name the run or instance to kill it when it connects.`,
      );
  }
}

export function keyReused(): ApiError {
  return new ApiError('idempotency_conflict', 'This Idempotency-Key was used before, for another call. Use a new one.');
}

/**
 * Pushes kills of one job, all by one call. Should that fail, they are in the queue: the object's drain or the sweep
 * delivers them.
 */
export async function deliver(c: AppContext, job: string, kills: readonly Kill[]): Promise<readonly Kill[]> {
  try {
    return await callJob(c.env, job, (object) => object.acceptKills([...kills]));
  } catch (error) {
    log.error('kill_not_pushed', error, {
      request: c.get('requestId'),
      job,
      kill: kills.map(({ id }) => id).join(','),
    });
    return kills;
  }
}

function answer(c: AppContext, kill: Kill): Response {
  const body: v.InferOutput<typeof KillBody> = { kill };
  return c.json(body, kill.state === 'settled' ? 200 : 202);
}

/** Of several kills that one call makes. */
export interface Batch {
  readonly id: string;
  /** In the order in which they are made. */
  newKillId(now: number): string;
}

const ALONE = { id: null, newKillId: ulid };

export function newKill(
  c: AppContext,
  token: TokenRecord,
  job: string,
  request: KillRequest,
  { id: batch, newKillId }: Batch | typeof ALONE = ALONE,
): Kill {
  const now = Date.now();
  return {
    id: newKillId(now),
    job,
    kind: 'kill',
    state: 'queued',
    run: request.run ?? null,
    instance: request.instance ?? null,
    machine: request.machine ?? null,
    signal: request.signal ?? null,
    grace_ms: request.grace_seconds === undefined ? null : Math.round(request.grace_seconds * 1000),
    include: request.include ?? null,
    reason: request.reason ?? null,
    // One from before names were looked at may hide something.
    requested_by: showInvisible(token.name),
    request_id: c.get('requestId'),
    batch,
    requested_at: new Date(now).toISOString(),
    expires_at: new Date(now + readSettings(c.env).killTtlMs).toISOString(),
    targets: [],
    found_nothing: false,
    seq: 0,
  };
}

/** @param call what the key is used for: with another one it is another call */
export function readIdempotencyKey(c: AppContext, token: TokenRecord, call: unknown): IdempotencyKey | null {
  const header = c.req.header('Idempotency-Key');
  if (header === undefined) return null;
  if (!v.is(IdempotencyKeyValue, header)) {
    throw new ApiError('bad_request', 'Idempotency-Key: a text of up to 128 characters');
  }
  return {
    actor: token.id,
    key: header,
    fingerprint: sha256(JSON.stringify(call)),
  };
}
