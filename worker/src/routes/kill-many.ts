/** `POST /kills`: stop whatever matches, in any job. One command for each job, stored together. */
import { ulid } from 'ulid';
import type * as v from 'valibot';
import { type Command, CommandsBody, KillManyRequest } from '#protocol/api';
import { json, operation } from '../api/operation.ts';
import { wait } from '../api/parameters.ts';
import type { AppContext } from '../context.ts';
import { batchCommands, enqueueBatch, isBatchOpen } from '../db/command-batches.ts';
import { jobsWithOpenRuns } from '../db/runs.ts';
import type { TokenRecord } from '../db/tokens.ts';
import { mapAtMost } from '../map-at-most.ts';
import { ApiError } from '../problem-response.ts';
import { deliver, IDEMPOTENCY_HEADER, keyReused, killAudit, newCommand, readIdempotencyKey } from './kill.ts';

/** What one call may store: a batch of D1 has its limits. */
const MAX_JOBS = 10_000;
/** An object call is a subrequest, it may be repeated once, and one invocation has a thousand. */
const MAX_PUSHES = 400;
const PUSHES_AT_ONCE = 50;
const POLL_MS = 500;

export const killManyOperations = [
  operation({
    id: 'killMany',
    method: 'post',
    path: '/kills',
    summary: 'Stop whatever matches, in any job',
    description: `One command for each job that has a run which matches and may still be alive, as the index knows it; each then
is as if given to \`POST /jobs/{job}/kill\` with the same machines and instance. Only jobs that the caller may kill.
All commands are stored together before they are answered, or none is.`,
    access: { kind: 'scope', scopes: ['kill'] },
    query: { wait },
    body: KillManyRequest,
    isKill: true,
    headers: IDEMPOTENCY_HEADER,
    answers: {
      200: json(CommandsBody, 'Settled, all of them: what they were for has ended. None, when nothing matches.'),
      202: json(CommandsBody, 'Stored; it goes on.'),
    },
    problems: ['idempotency_conflict'],
    handle: async ({ c, caller, query, body }) => {
      const { batch, commands } = await enqueue(c, caller.token, body);
      const delivered = await pushSome(commands, (command) => deliver(c, command));
      return answer(c, query.wait === 0 ? delivered : await afterWait(c, batch, query.wait, delivered));
    },
  }),
];

interface Enqueued {
  readonly batch: string;
  readonly commands: readonly Command[];
}

/** Stores a command for each job. The call that repeats an earlier one gets that one's commands. */
async function enqueue(c: AppContext, token: TokenRecord, request: KillManyRequest): Promise<Enqueued> {
  const { jobs, machines, instance, ...manner } = request;
  const idempotency = readIdempotencyKey(c, token, request);
  const matching = await jobsWithOpenRuns(c.env.DB, { jobGlob: token.jobs, jobs, machines, instance }, MAX_JOBS + 1);
  if (matching.length > MAX_JOBS) {
    throw new ApiError('bad_request', `This matches more than ${MAX_JOBS} jobs. Name fewer with each call.`);
  }
  const selector = { instance, machine: machines?.join(','), ...manner };
  const commands = matching.map((job) => newCommand(c, token, job, selector));
  const audits = commands.map((command) => killAudit(c, token, command));
  const batch = ulid();
  const earlier = await enqueueBatch(c.env.DB, { id: batch, commands, audits }, idempotency);
  if (earlier === null) return { batch, commands };
  if (earlier.kind === 'key_reused') throw keyReused();
  return earlier;
}

/** Pushes as many as one call may; the sweep delivers the others. */
export async function pushSome(
  commands: readonly Command[],
  push: (command: Command) => Promise<Command>,
): Promise<Command[]> {
  const pushed = await mapAtMost(PUSHES_AT_ONCE, commands.slice(0, MAX_PUSHES), push);
  return [...pushed, ...commands.slice(MAX_PUSHES)];
}

/** Asks D1 now and then, which is one query for all of them and keeps no object awake. */
async function afterWait(
  c: AppContext,
  batch: string,
  waitSeconds: number,
  delivered: readonly Command[],
): Promise<readonly Command[]> {
  if (delivered.length === 0) return delivered;
  const until = Date.now() + waitSeconds * 1000;
  while ((await isBatchOpen(c.env.DB, batch)) && Date.now() < until) {
    await scheduler.wait(Math.min(POLL_MS, Math.max(1, until - Date.now())));
  }
  return batchCommands(c.env.DB, batch);
}

function answer(c: AppContext, commands: readonly Command[]): Response {
  const body: v.InferOutput<typeof CommandsBody> = { commands: [...commands] };
  return c.json(body, commands.every(({ state }) => state === 'settled') ? 200 : 202);
}
