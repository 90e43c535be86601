/** `POST /jobs/{job}/kill`: stop what runs. */
import { ulid } from 'ulid';
import * as v from 'valibot';
import { type Command, CommandBody, KillRequest } from '#protocol/api';
import { showInvisible } from '#protocol/invisible-characters';
import { JobName } from '#protocol/names';
import { sha256 } from '../../hash.ts';
import { log } from '../../log.ts';
import { readSettings } from '../../settings.ts';
import { json, operation } from '../api/operation.ts';
import { wait } from '../api/parameters.ts';
import { auditEntry } from '../audit-entry.ts';
import type { Caller } from '../authentication.ts';
import type { AppContext } from '../context.ts';
import type { AuditEntry } from '../db/audit.ts';
import { type Enqueued, enqueueCommand, type IdempotencyKey } from '../db/kills.ts';
import type { TokenRecord } from '../db/tokens.ts';
import { callJob } from '../job-client.ts';
import { ApiError } from '../problem-response.ts';
import { commandAfter } from './kills.ts';

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
      200: json(CommandBody, 'Settled: all that it was for has ended.'),
      202: json(CommandBody, 'Stored; it goes on.'),
    },
    problems: ['unknown_job', 'unknown_run', 'idempotency_conflict'],
    handle: async ({ c, caller, params, query, body }) => {
      const command = await enqueue(c, caller, params.job, body);
      const [delivered = command] = await deliver(c, params.job, [command]);
      return answer(c, query.wait === 0 ? delivered : await commandAfter(c, delivered, query.wait));
    },
  }),
];

/** Stores the command in the queue. The call that repeats an earlier one gets that one's command. */
async function enqueue(c: AppContext, { token }: Caller, job: string, request: KillRequest): Promise<Command> {
  const command = newCommand(c, token, job, request);
  const audit = killAudit(c, token, command);
  const idempotency = readIdempotencyKey(c, token, [job, request]);
  const store = (isKnown: boolean) =>
    enqueueCommand(c.env.DB, command, audit, idempotency, { jobGlob: token.jobs, isKnown });
  return enqueuedCommand(await orIfKnownToObject(await store(false)), command);

  /** D1 hears of a new job and run a moment after the job's object does: before saying no, ask the object. */
  async function orIfKnownToObject(first: Enqueued): Promise<Enqueued> {
    if (first.kind !== 'unknown_job' && first.kind !== 'foreign_run') return first;
    const isKnown = await callJob(c.env, job, (object) => object.knows(command.run));
    return isKnown ? store(true) : first;
  }
}

export function killAudit(c: AppContext, token: TokenRecord, command: Command): AuditEntry {
  const { id, job, run, instance, machine, signal, grace_ms, include, reason } = command;
  return auditEntry(c, {
    at: Date.parse(command.requested_at),
    actor: token,
    action: 'kill',
    subject: job,
    detail: { command: id, run, instance, machine, signal, grace_ms, include, reason },
  });
}

function enqueuedCommand(enqueued: Enqueued, command: Command): Command {
  switch (enqueued.kind) {
    case 'stored':
      return command;
    case 'repeated':
      return enqueued.command;
    case 'key_reused':
      throw keyReused();
    case 'foreign_run':
      throw new ApiError(
        'unknown_run',
        `The run ${command.run} is not one of ${command.job} but of ${enqueued.job}: kill it there.`,
      );
    case 'unknown_job':
      throw new ApiError(
        'unknown_job',
        `No run of ${command.job} was ever seen. Check the name, or name the run or instance to kill it when it connects.`,
      );
  }
}

export function keyReused(): ApiError {
  return new ApiError('idempotency_conflict', 'This Idempotency-Key was used before, for another call. Use a new one.');
}

/**
 * Pushes commands of one job, all by one call. Should that fail, they are in the queue: the object's drain or the sweep
 * delivers them.
 */
export async function deliver(c: AppContext, job: string, commands: readonly Command[]): Promise<readonly Command[]> {
  try {
    return await callJob(c.env, job, (object) => object.acceptCommands([...commands]));
  } catch (error) {
    log.error('kill_not_pushed', error, {
      request: c.get('requestId'),
      job,
      command: commands.map(({ id }) => id).join(','),
    });
    return commands;
  }
}

function answer(c: AppContext, command: Command): Response {
  const body: v.InferOutput<typeof CommandBody> = { command };
  return c.json(body, command.state === 'settled' ? 200 : 202);
}

/** Of several commands that one call makes. */
export interface Batch {
  readonly id: string;
  /** In the order in which they are made. */
  newCommandId(now: number): string;
}

const ALONE = { id: null, newCommandId: ulid };

export function newCommand(
  c: AppContext,
  token: TokenRecord,
  job: string,
  request: KillRequest,
  { id: batch, newCommandId }: Batch | typeof ALONE = ALONE,
): Command {
  const now = Date.now();
  return {
    id: newCommandId(now),
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
    expires_at: new Date(now + readSettings(c.env).commandTtlMs).toISOString(),
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
