/** `POST /jobs/{job}/kill`, `POST /kills`, `GET /kills`, `GET /kills/{id}`: end runs, and follow what becomes of it. */
import * as v from 'valibot';
import { KillBody, KillList, KillManyRequest, KillRequest, KillsBody } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { KillState } from '#protocol/kill';
import { JobName, KillId } from '#protocol/names';
import { findKill, listKills } from '../../../shared/d1/kills.ts';
import { ApiError } from '../../api-error.ts';
import type { KillCall } from '../../kills/kill-call.ts';
import { killJob } from '../../kills/kill-job.ts';
import { killMany } from '../../kills/kill-many.ts';
import { currentKill } from '../../kills/kill-wait.ts';
import { credentialOf, deploymentCaller, readPresented, requireScope, validCaller } from '../authentication.ts';
import { callOrigin } from '../client-address.ts';
import type { AppContext } from '../context.ts';
import { IDEMPOTENCY_HEADER, readIdempotencyKey } from '../idempotency-header.ts';
import { recordCaller } from '../last-use.ts';
import { pageOf } from '../list-page.ts';
import { json, killOperation, operation } from '../operation.ts';
import { cursor, limit, listOf, wait } from '../parameters.ts';

/** What both calls that kill have in common. */
const killing = {
  method: 'post',
  access: { kind: 'scope', scopes: ['kill'] },
  query: { wait },
  headers: IDEMPOTENCY_HEADER,
} as const;

export const killOperations = [
  killOperation({
    ...killing,
    id: 'killJob',
    path: '/jobs/{job}/kill',
    summary: 'Kill the runs of a job',
    description:
      'The kill is stored before the response is sent, and is retried until it takes effect. It matches live runs, and runs that started before it and connect before `expires_at`.',
    params: { job: JobName },
    body: KillRequest,
    responses: {
      200: json(KillBody, 'Settled: all targets have ended.'),
      202: json(KillBody, 'Stored and in progress.'),
    },
    errors: ['unknown_job', 'unknown_run', 'idempotency_conflict'],
    handle: async ({ c, params, query, body }) => {
      const kill = await killJob(readCall(c, params.job), params.job, body, query.wait);
      return c.json<v.InferOutput<typeof KillBody>>({ kill }, kill.state === 'settled' ? 200 : 202);
    },
  }),
  killOperation({
    ...killing,
    id: 'killMany',
    path: '/kills',
    summary: 'Kill matching runs of any job',
    description: `Creates one kill for each job that has a matching run which may still be alive, as \`POST /jobs/{job}/kill\` would
with the same machines and instance. Jobs that the token may not kill are left out.
With \`runs\`, creates one kill for each of these runs instead, as \`POST /jobs/{job}/kill\` would with that run.
A run is named by its id; if several jobs have reported that id, by its job and id.
Either all kills are stored before the response, or none is.`,
    body: KillManyRequest,
    responses: {
      200: json(KillsBody, 'All are settled: all targets have ended. Empty if nothing matches.'),
      202: json(KillsBody, 'Stored and in progress.'),
    },
    errors: ['unknown_run', 'run_ambiguous', 'idempotency_conflict'],
    handle: async ({ c, query, body }) => {
      const kills = await killMany(readCall(c), body, query.wait);
      const isSettled = kills.every(({ state }) => state === 'settled');
      return c.json<v.InferOutput<typeof KillsBody>>({ kills: [...kills] }, isSettled ? 200 : 202);
    },
  }),
  operation({
    id: 'listKills',
    method: 'get',
    path: '/kills',
    summary: 'List kills, newest first',
    description:
      'Read from the index, which may be a moment behind. A list page has fewer than `limit` kills if they have very many targets.',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      job: v.optional(JobName),
      state: v.optional(v.pipe(listOf(KillState), v.description('One or more states, separated by commas.'))),
      batch: v.optional(v.pipe(KillId, v.description('Only kills that this call created: their `batch`.'))),
      limit,
      cursor: cursor(KillId),
    },
    responses: { 200: json(KillList, 'A page of kills.') },
    handle: async ({ c, caller, query }) => {
      const { job, state: states, batch, cursor: before } = query;
      const filter = { jobGlob: caller.token.jobs, job, states, batch, before };
      const rows = await listKills(c.env.DB, filter, query.limit + 1);
      const kills = rows.flatMap(({ kill }) => (kill === null ? [] : [kill]));
      const { page, next } = pageOf(rows, Math.min(query.limit, kills.length), ({ id }) => id);
      return c.json<v.InferOutput<typeof KillList>>({ kills: kills.slice(0, page.length), next_cursor: next });
    },
  }),
  operation({
    id: 'getKill',
    method: 'get',
    path: '/kills/{id}',
    summary: 'Get a kill',
    access: { kind: 'scope', scopes: ['read', 'kill'] },
    params: { id: KillId },
    query: { wait },
    responses: { 200: json(KillBody, 'The kill with its targets and their exit codes.') },
    errors: ['unknown_kill'],
    handle: async ({ c, caller, params, query }) => {
      const indexed = await findKill(c.env.DB, params.id);
      // A kill of a job that the caller may not see counts as unknown.
      if (indexed === null || !matchesGlob(caller.token.jobs, indexed.job)) {
        throw new ApiError('unknown_kill', `No kill has the id ${params.id}.`);
      }
      const kill = await currentKill({ env: c.env, ...callOrigin(c) }, indexed, query.wait);
      return c.json<v.InferOutput<typeof KillBody>>({ kill });
    },
  }),
];

/**
 * @param job the job of the call, if it has one
 * @throws ApiError `bad_request` when the idempotency key is too long
 */
function readCall(c: AppContext, job?: string): KillCall {
  const idempotencyKey = readIdempotencyKey(c);
  const at = Date.now();
  const who = readPresented(c.req.raw);
  const known = deploymentCaller(c.env, who);
  return {
    env: c.env,
    presented: who.presented,
    known: known && recordCaller(c, known).token,
    idempotencyKey,
    ...callOrigin(c),
    waitUntil: (promise) => c.executionCtx.waitUntil(promise),
    verify: (found) => {
      const caller = recordCaller(c, validCaller(c.env, who, found, Date.now()));
      requireScope(caller.token, killing.access.scopes, job);
      return { token: caller.token, confirmed: { credential: credentialOf(caller), at } };
    },
  };
}
