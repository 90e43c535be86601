/** WebSocket upgrades: of wrappers to their job's object, of viewers to a job's object or to the fleet's. */

import * as v from 'valibot';
import { matchesGlob } from '#protocol/glob';
import { MAX_VIEWERS, MAX_VIEWERS_PER_TOKEN } from '#protocol/limits';
import { InstanceName, JobName, MachineName, RunId } from '#protocol/names';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { DISCONNECTED_HEADER, WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { credentialParameter } from '../../../shared/credential.ts';
import { fleetObject } from '../../../shared/rpc/fleet-object.ts';
import { jobObject } from '../../../shared/rpc/job-object.ts';
import { ordersParameter } from '../../../shared/rpc/standing-orders.ts';
import { ApiError } from '../../api-error.ts';
import { ordersFor } from '../../brakes/orders-for.ts';
import { type Caller, credentialOf } from '../authentication.ts';
import { operation, socket } from '../operation.ts';

/** By then silent viewers are disconnected. */
const RETRY = { 'Retry-After': '60' };

const only = v.optional(
  v.pipe(
    v.picklist(['brakes'], 'must be `brakes`'),
    v.description('Only say when brakes or maintenance were set or ended: for who watches a job’s own socket besides.'),
  ),
);

export const socketOperations = [
  operation({
    id: 'connectWrapper',
    method: 'get',
    path: '/jobs/{job}/connect',
    summary: 'Connect a wrapper',
    access: { kind: 'scope', scopes: ['run'] },
    params: { job: JobName },
    query: { run: RunId, instance: InstanceName, machine: MachineName },
    headers: { [DISCONNECTED_HEADER]: 'For how many milliseconds the run has been disconnected.' },
    comesInCrowds: true,
    errors: ['busy'],
    responses: { 101: socket(WRAPPER_SUBPROTOCOL, 'The link of a wrapper, see docs/protocol.md.') },
    handle: async ({ c, caller, params, query }) => {
      if (!matchesGlob(caller.token.machines, query.machine)) {
        throw new ApiError('forbidden', `The token is not valid for runs on machine ${query.machine}.`);
      }
      const { run, instance, machine } = query;
      const orders = ordersParameter(await ordersFor(c.env, caller.brakes, { job: params.job, machine }));
      const request = objectRequest('/connect', caller, { run, instance, machine, ...orders });
      return jobObject(c.env, params.job).fetch(request);
    },
  }),
  operation({
    id: 'watchJob',
    method: 'get',
    path: '/jobs/{job}/watch',
    summary: 'Watch a job: its changes, and the output of one of its runs',
    access: { kind: 'scope', scopes: ['read'] },
    params: { job: JobName },
    responses: { 101: socket(WATCH_SUBPROTOCOL, 'The messages for viewers, see docs/protocol.md.') },
    errors: ['too_many_viewers'],
    handle: ({ c, caller, params }) => asViewer(jobObject(c.env, params.job), objectRequest('/watch', caller, {})),
  }),
  operation({
    id: 'watchFleet',
    method: 'get',
    path: '/watch',
    summary: 'Watch the changes of all jobs that the token may read',
    access: { kind: 'scope', scopes: ['read'] },
    query: { only },
    responses: { 101: socket(WATCH_SUBPROTOCOL, 'The messages for viewers, see docs/protocol.md.') },
    errors: ['too_many_viewers'],
    handle: ({ c, caller, query }) => {
      const wanted = { jobs: caller.token.jobs, ...(query.only !== undefined && { only: query.only }) };
      return asViewer(fleetObject(c.env), objectRequest('/watch', caller, wanted));
    },
  }),
];

/** @throws ApiError `too_many_viewers` or `unavailable` */
async function asViewer(object: { fetch(request: Request): Promise<Response> }, request: Request): Promise<Response> {
  const response = await object.fetch(request);
  if (response.status === 503) throw new ApiError('unavailable', 'Changes can’t be watched at the moment. Try again.');
  if (response.status !== 429) return response;
  const isOfToken = (await response.text()) === 'token';
  throw new ApiError(
    'too_many_viewers',
    isOfToken
      ? `${MAX_VIEWERS_PER_TOKEN} viewers with this token are already connected. Close some, or use another token.`
      : `${MAX_VIEWERS} viewers are already connected. Close some, and try again.`,
    RETRY,
  );
}

/** A new request, so that only checked input of the client reaches the object. */
function objectRequest(path: string, caller: Caller, query: Record<string, string>): Request {
  const credential = credentialParameter(credentialOf(caller));
  const parameters = new URLSearchParams({ ...query, ...credential });
  return new Request(`https://object${path}?${parameters}`, { headers: { Upgrade: 'websocket' } });
}
