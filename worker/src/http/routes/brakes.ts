/** `/brakes`: brakes and maintenance. */
import type * as v from 'valibot';
import { BrakeCreated, BrakeList, NewBrake } from '#protocol/brakes';
import { MAX_BRAKE_MS } from '#protocol/limits';
import { BrakeId } from '#protocol/names';
import { recordAudit } from '../../../shared/d1/audit.ts';
import { activeBrakes, brakeResource, concernsJobs, endBrake, findBrake } from '../../../shared/d1/brakes.ts';
import type { TokenRecord } from '../../../shared/d1/tokens.ts';
import { ApiError } from '../../api-error.ts';
import { auditEntry } from '../../audit-entry.ts';
import { announceBrakes } from '../../brakes/announce.ts';
import { type BrakeCall, createBrake, requireWithin } from '../../brakes/create-brake.ts';
import { callOrigin } from '../client-address.ts';
import type { AppContext } from '../context.ts';
import { IDEMPOTENCY_HEADER, readIdempotencyKey } from '../idempotency-header.ts';
import { pageOf } from '../list-page.ts';
import { empty, json, operation } from '../operation.ts';
import { cursor, limit } from '../parameters.ts';

export const brakeOperations = [
  operation({
    id: 'listBrakes',
    method: 'get',
    path: '/brakes',
    summary: 'List brakes and maintenance that stand',
    description: 'Those that may concern a job of the token, the oldest first.',
    access: { kind: 'scope', scopes: ['read', 'kill'] },
    query: { limit, cursor: cursor(BrakeId) },
    responses: { 200: json(BrakeList, 'A page of what stands at the moment.') },
    handle: async ({ c, caller, query }) => {
      const active = await activeBrakes(c.env.DB, Date.now());
      const visible = active.filter(
        (brake) => concernsJobs(brake, caller.token.jobs) && brake.id > (query.cursor ?? ''),
      );
      const { page, next } = pageOf(visible, query.limit, ({ id }) => id);
      return c.json<v.InferOutput<typeof BrakeList>>({ brakes: page.map(brakeResource), next_cursor: next });
    },
  }),
  operation({
    id: 'createBrake',
    method: 'post',
    path: '/brakes',
    summary: 'Set a brake, or begin maintenance',
    description: `A brake (\`kill: true\`) is a kill that stands until its end: it kills the runs that match now, and later ones as soon as they
connect; a run that asks first doesn’t start. Maintenance (\`kill: false\`) lets runs run, without alerts; a run that asks first
doesn’t start. Always with an end, at most 30 days from now. \`"jobs": "*"\`, the default, means all jobs of the token; other
globs must match no job that the token isn’t for.
The brake is stored before the response is sent. \`kills\` has what it kills at once; a run that could not be found yet is
killed within a minute.`,
    access: { kind: 'scope', scopes: ['kill'] },
    headers: IDEMPOTENCY_HEADER,
    body: NewBrake,
    responses: { 201: json(BrakeCreated, 'The brake, and the kills that it has made.') },
    errors: ['too_many_brakes', 'idempotency_conflict', 'unknown_brake'],
    handle: async ({ c, caller, body }) => {
      requireEnd(body.until, Date.now());
      const { brake, kills } = await createBrake(brakeCall(c, caller.token), body);
      c.executionCtx.waitUntil(announceBrakes(c.env));
      return c.json<v.InferOutput<typeof BrakeCreated>>({ brake: brakeResource(brake), kills: [...kills] }, 201);
    },
  }),
  operation({
    id: 'endBrake',
    method: 'delete',
    path: '/brakes/{id}',
    summary: 'End a brake or maintenance',
    description:
      'Kills that it has made are carried out all the same, and what happened until now raises no alert afterwards.',
    access: { kind: 'scope', scopes: ['kill'] },
    params: { id: BrakeId },
    responses: { 204: empty('Ended.') },
    errors: ['unknown_brake'],
    handle: async ({ c, caller, params: { id } }) => {
      const now = Date.now();
      const brake = await findBrake(c.env.DB, id, now);
      // One of jobs that the caller may not see counts as unknown.
      if (brake === null || !concernsJobs(brake, caller.token.jobs)) throw unknownBrake(id);
      requireWithin(brake, caller.token);
      const { jobs, machines, reason, kill } = brake;
      const entry = auditEntry(callOrigin(c), {
        actor: caller.token,
        action: 'brake_ended',
        subject: id,
        detail: { jobs, machines, reason, kill },
      });
      // The audit entry first: it is written only if the brake is still active.
      const results = await c.env.DB.batch([
        recordAudit(c.env.DB, entry, { table: 'brakes', id, activeAt: now }),
        endBrake(c.env.DB, id, now),
      ]);
      if (results[0]?.meta.changes === 0) throw unknownBrake(id);
      c.executionCtx.waitUntil(announceBrakes(c.env));
      return c.body(null, 204);
    },
  }),
];

/** @throws ApiError `bad_request` */
function requireEnd(until: string, now: number): void {
  const end = Date.parse(until);
  if (end <= now) throw new ApiError('bad_request', 'body: until: must be in the future');
  if (end > now + MAX_BRAKE_MS) throw new ApiError('bad_request', 'body: until: must be at most 30 days from now');
}

function brakeCall(c: AppContext, token: TokenRecord): BrakeCall {
  return {
    env: c.env,
    known: token,
    presented: { secret: token.hash, session: null },
    idempotencyKey: readIdempotencyKey(c),
    ...callOrigin(c),
    waitUntil: (promise) => c.executionCtx.waitUntil(promise),
    verify: () => {
      throw new Error('the caller of a brake is verified');
    },
  };
}

function unknownBrake(id: string): ApiError {
  return new ApiError('unknown_brake', `No brake has the id ${id}, or it has ended.`);
}
