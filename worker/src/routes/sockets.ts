/** The upgrades: wrappers to their job's object, viewers to a job's object or to the fleet. */
import { type Context, Hono } from 'hono';
import { InstanceName, JobName, MachineName, RunId } from '#protocol/names';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import { matchesGlob } from '../../glob.ts';
import { requireOwnOrigin, requireScope } from '../authentication.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { readValue } from '../input.ts';
import { ApiError } from '../problem-response.ts';

export const socketRoutes = new Hono<AppEnv>()
  .get('/jobs/:job/connect', async (c) => {
    const job = readValue(JobName, c.req.param('job'), 'job');
    const run = readValue(RunId, c.req.query('run'), 'run');
    const instance = readValue(InstanceName, c.req.query('instance'), 'instance');
    const machine = readValue(MachineName, c.req.query('machine'), 'machine');
    const { token } = c.get('caller');
    requireScope(token, ['run'], job);
    if (!matchesGlob(token.machines, machine)) {
      throw new ApiError('forbidden', `This token may not be used for runs on ${machine}.`);
    }
    requireUpgrade(c, WRAPPER_SUBPROTOCOL);
    const query = new URLSearchParams({ run, instance, machine });
    return c.env.JOBS.getByName(job).fetch(objectRequest(`/connect?${query}`));
  })
  .get('/jobs/:job/watch', async (c) => {
    const job = readValue(JobName, c.req.param('job'), 'job');
    requireViewer(c, job);
    return c.env.JOBS.getByName(job).fetch(objectRequest('/watch'));
  })
  .get('/watch', async (c) => {
    requireViewer(c);
    const query = new URLSearchParams({ jobs: c.get('caller').token.jobs });
    return c.env.FLEET.getByName('fleet').fetch(objectRequest(`/watch?${query}`));
  });

function requireViewer(c: AppContext, job?: string): void {
  const caller = c.get('caller');
  requireScope(caller.token, ['read'], job);
  // A browser opens a WebSocket to anywhere and sends the cookie along: no CORS stands in between.
  requireOwnOrigin(c.req.raw, caller);
  requireUpgrade(c, WATCH_SUBPROTOCOL);
}

function requireUpgrade(c: Context, subprotocol: string): void {
  if (c.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
    throw new ApiError('upgrade_required', 'This is a WebSocket: connect to it as one.');
  }
  const offered = (c.req.header('Sec-WebSocket-Protocol') ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(subprotocol)) {
    throw new ApiError('bad_request', `Offer the WebSocket subprotocol ${subprotocol}.`);
  }
}

/** A request of our own making: nothing that the client sent reaches the object but what was checked above. */
function objectRequest(path: string): Request {
  return new Request(`https://object${path}`, { headers: { Upgrade: 'websocket' } });
}
