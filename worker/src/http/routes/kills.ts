/** `GET /kills`, `GET /kills/{id}`: what was ordered, and how far it has come. */
import * as v from 'valibot';
import { type Kill, KillBody, KillList } from '#protocol/api';
import { matchesGlob } from '#protocol/glob';
import { KillState } from '#protocol/kill';
import { JobName, KillId } from '#protocol/names';
import { findKill, listKills } from '../../../shared/d1/kills.ts';
import { log } from '../../../shared/log.ts';
import { waitForKill } from '../../kills/kill-wait.ts';
import type { AppContext } from '../context.ts';
import { pageOf } from '../list-page.ts';
import { json, operation } from '../operation.ts';
import { cursor, limit, wait, words } from '../parameters.ts';
import { ApiError } from '../problem-response.ts';

export const killOperations = [
  operation({
    id: 'listKills',
    method: 'get',
    path: '/kills',
    summary: 'Kills, newest first',
    description: 'A page ends early when its kills have very many targets.',
    access: { kind: 'scope', scopes: ['read'] },
    query: {
      job: v.optional(JobName),
      state: v.optional(v.pipe(words(KillState), v.description('One state, or several, separated by commas.'))),
      batch: v.optional(v.pipe(KillId, v.description('Only those that one call has made.'))),
      limit,
      cursor: cursor(KillId),
    },
    answers: { 200: json(KillList, 'Kills as the index has them: it may be a moment behind.') },
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
    summary: 'How far a kill has come',
    access: { kind: 'scope', scopes: ['read', 'kill'] },
    params: { id: KillId },
    query: { wait },
    answers: { 200: json(KillBody, 'The kill with its targets and their exit codes.') },
    problems: ['unknown_kill'],
    handle: async ({ c, caller, params, query }) => {
      const kill = await findKill(c.env.DB, params.id);
      // A kill of a job that the caller may not see is, to the caller, none.
      if (kill === null || !matchesGlob(caller.token.jobs, kill.job)) {
        throw new ApiError('unknown_kill', `There is no kill ${params.id}.`);
      }
      return c.json<v.InferOutput<typeof KillBody>>({ kill: await killAfter(c, kill, query.wait) });
    },
  }),
];

/** What the job's object says of the kill, or D1 when the object doesn't know it yet or can't be reached. */
export async function killAfter(c: AppContext, kill: Kill, waitSeconds: number): Promise<Kill> {
  try {
    return (await waitForKill(c.env, kill.job, kill.id, waitSeconds * 1000)) ?? kill;
  } catch (error) {
    log.error('kill_not_read', error, { request: c.get('requestId'), job: kill.job, kill: kill.id });
    return kill;
  }
}
