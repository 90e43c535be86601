/** `POST /jobs/{job}/kill`: stop what runs. `GET /commands/{id}`: how far it has come. */
import { Hono } from 'hono';
import { ulid } from 'ulid';
import * as v from 'valibot';
import { type Command, type CommandBody, KillRequest } from '#protocol/api';
import { MAX_WAIT_SECONDS } from '#protocol/limits';
import { CommandId, JobName } from '#protocol/names';
import { matchesGlob } from '../../glob.ts';
import { sha256 } from '../../hash.ts';
import { log } from '../../log.ts';
import { readSettings } from '../../settings.ts';
import { auditEntry } from '../audit-entry.ts';
import { requireOwnOrigin, requireScope } from '../authentication.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { type Enqueued, enqueueCommand, findCommand, type IdempotencyKey } from '../db/commands.ts';
import { readBody, readInteger, readValue } from '../input.ts';
import { callJob } from '../job-client.ts';
import { ApiError } from '../problem-response.ts';

const IdempotencyKeyValue = v.pipe(v.string(), v.minLength(1), v.maxLength(128));

export const killRoutes = new Hono<AppEnv>()
  .post('/jobs/:job/kill', async (c) => {
    const job = readValue(JobName, c.req.param('job'), 'job');
    const caller = c.get('caller');
    requireScope(caller.token, ['kill'], job);
    requireOwnOrigin(c.req.raw, caller);
    const request = await readBody(c, KillRequest);
    const waitSeconds = readWait(c);

    const command = await enqueue(c, job, request);
    const delivered = await deliver(c, command);
    return answer(c, waitSeconds === 0 ? delivered : await commandAfter(c, delivered, waitSeconds));
  })
  .get('/commands/:id', async (c) => {
    const id = readValue(CommandId, c.req.param('id'), 'id');
    const waitSeconds = readWait(c);
    const command = await findCommand(c.env.DB, id);
    const { token } = c.get('caller');
    requireScope(token, ['read', 'kill']);
    // A command of a job that the caller may not see is, to the caller, none.
    if (command === null || !matchesGlob(token.jobs, command.job)) throw unknownCommand(id);
    return c.json<v.InferOutput<typeof CommandBody>>({ command: await commandAfter(c, command, waitSeconds) });
  });

/** Stores the command in the queue. The call that repeats an earlier one gets that one's command. */
async function enqueue(c: AppContext, job: string, request: KillRequest): Promise<Command> {
  const command = newCommand(c, job, request);
  const { id, run, instance, machine, signal, grace_ms, reason } = command;
  const audit = auditEntry(c, {
    at: Date.parse(command.requested_at),
    actor: c.get('caller').token.id,
    action: 'kill',
    subject: job,
    detail: { command: id, run, instance, machine, signal, grace_ms, reason },
  });
  const idempotency = readIdempotencyKey(c, job, request);
  const isNamed = request.run !== undefined || request.instance !== undefined;
  const enqueued = await enqueueCommand(c.env.DB, command, audit, idempotency, isNamed);
  return enqueuedCommand(await orIfKnownToObject(enqueued), command);

  /** D1 hears of a new job a moment after the job's object does: before saying no, ask the object. */
  async function orIfKnownToObject(first: Enqueued): Promise<Enqueued> {
    if (first.kind !== 'unknown_job') return first;
    const isKnown = await callJob(c.env, job, (object) => object.isKnown());
    return isKnown ? enqueueCommand(c.env.DB, command, audit, idempotency, true) : first;
  }
}

function enqueuedCommand(enqueued: Enqueued, command: Command): Command {
  switch (enqueued.kind) {
    case 'stored':
      return command;
    case 'repeated':
      return enqueued.command;
    case 'key_reused':
      throw new ApiError(
        'idempotency_conflict',
        'This Idempotency-Key was used before, for another call. Use a new one.',
      );
    case 'unknown_job':
      throw new ApiError(
        'unknown_job',
        `No run of ${command.job} was ever seen. Check the name, or name the run or instance to kill it when it connects.`,
      );
  }
}

/** Pushes the command. Should that fail, it is in the queue: the object's drain or the sweep delivers it. */
async function deliver(c: AppContext, command: Command): Promise<Command> {
  try {
    return (await callJob(c.env, command.job, (object) => object.acceptCommand(command))) ?? command;
  } catch (error) {
    log.error('kill_not_pushed', error, { request: c.get('requestId'), job: command.job, command: command.id });
    return command;
  }
}

/** What the job's object says of the command, or D1 when the object doesn't know it yet or can't be reached. */
async function commandAfter(c: AppContext, command: Command, waitSeconds: number): Promise<Command> {
  const until = Date.now() + waitSeconds * 1000;
  try {
    const remainingMs = () => Math.max(0, until - Date.now());
    return (await callJob(c.env, command.job, (object) => object.commandAfter(command.id, remainingMs()))) ?? command;
  } catch (error) {
    log.error('command_not_read', error, { request: c.get('requestId'), job: command.job, command: command.id });
    return command;
  }
}

function answer(c: AppContext, command: Command): Response {
  const body: v.InferOutput<typeof CommandBody> = { command };
  return c.json(body, command.state === 'settled' ? 200 : 202);
}

function newCommand(c: AppContext, job: string, request: KillRequest): Command {
  const now = Date.now();
  return {
    id: ulid(now),
    job,
    kind: 'kill',
    state: 'queued',
    run: request.run ?? null,
    instance: request.instance ?? null,
    machine: request.machine ?? null,
    signal: request.signal,
    grace_ms: Math.round(request.grace_seconds * 1000),
    reason: request.reason ?? null,
    requested_by: c.get('caller').token.name,
    requested_at: new Date(now).toISOString(),
    expires_at: new Date(now + readSettings(c.env).commandTtlMs).toISOString(),
    targets: [],
    seq: 0,
  };
}

function readIdempotencyKey(c: AppContext, job: string, request: KillRequest): IdempotencyKey | null {
  const header = c.req.header('Idempotency-Key');
  if (header === undefined) return null;
  return {
    actor: c.get('caller').token.id,
    key: readValue(IdempotencyKeyValue, header, 'Idempotency-Key'),
    fingerprint: sha256(JSON.stringify([job, request])),
  };
}

function readWait(c: AppContext): number {
  return readInteger(c, 'wait', { min: 0, max: MAX_WAIT_SECONDS, fallback: 0 });
}

function unknownCommand(id: string): ApiError {
  return new ApiError('unknown_command', `There is no command ${id}.`);
}
