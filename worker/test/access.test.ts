/** Every call of the API by every kind of caller: who gets in, and what the others are told. */
import { ulid } from 'ulid';
import { beforeAll, describe, expect, test } from 'vitest';
import { SCOPES, type Scope } from '#protocol/api';
import { isSocket, type Operation } from '../src/http/operation.ts';
import { API_OPERATIONS, BASE, ROOT_OPERATIONS } from '../src/http/operations.ts';
import { expiredToken, newToken, ORIGIN, request, signedIn } from './support/api.ts';
import { indexed } from './support/d1.ts';
import { env } from './support/env.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

/**
 * What each call takes, written down once more: a declaration that asks for too little must not be its own measure. A
 * new call has to be added here.
 *
 * `nothing`: any caller. `token`: any valid token. `full_admin`: an admin of all jobs. Else one of the scopes.
 */
const NEEDS: Record<string, 'nothing' | 'token' | 'full_admin' | 'read_of_all_jobs' | readonly Scope[]> = {
  getHealth: 'nothing',
  getInstallScript: 'nothing',
  getOpenApi: 'nothing',
  signIn: 'nothing',
  getSession: 'token',
  signOut: 'token',
  getMetrics: 'read_of_all_jobs',
  killJob: ['kill'],
  killMany: ['kill'],
  listKills: ['read'],
  getKill: ['read', 'kill'],
  listBrakes: ['read', 'kill'],
  createBrake: ['kill'],
  endBrake: ['kill'],
  listJobs: ['read'],
  getJob: ['read'],
  listRuns: ['read'],
  getRun: ['read'],
  listRunEvents: ['read'],
  getRunOutput: ['read'],
  getReport: ['read'],
  listMachines: ['read'],
  getMachine: ['read'],
  listBrokenExpectations: ['read'],
  listExpectations: ['read'],
  setExpectation: ['admin'],
  deleteExpectation: ['admin'],
  connectWrapper: ['run'],
  connectSaltpeterWrapper: ['saltpeter'],
  postMcp: ['read', 'kill'],
  watchJob: ['read'],
  watchFleet: ['read'],
  listTokens: 'full_admin',
  createToken: 'full_admin',
  rotateToken: 'full_admin',
  deleteToken: 'full_admin',
  listAlerts: 'full_admin',
  createAlert: 'full_admin',
  getAlert: 'full_admin',
  changeAlert: 'full_admin',
  deleteAlert: 'full_admin',
  testAlert: 'full_admin',
  listAudit: 'full_admin',
  getIndex: 'full_admin',
};

/** Calls whose path names no job, but what belongs to one: of other jobs' there is, to the caller, none. */
const OF_A_JOB: Record<string, string> = {
  getRun: '404 unknown_run',
  listRunEvents: '404 unknown_run',
  getRunOutput: '404 unknown_run',
  getKill: '404 unknown_kill',
  getMachine: '404 unknown_machine',
};

const JOB = 'access';

interface Caller {
  readonly headers: Record<string, string>;
  /** What it may do; null: it is nobody. */
  readonly scopes: readonly Scope[] | null;
  readonly refusedBy?: string;
  readonly allJobs?: boolean;
  /** A browser's cookie with no origin, or another page's. */
  readonly wrongOrigin?: boolean;
}

const callers = new Map<string, Caller>();
let path: Record<string, string> = {};

beforeAll(async () => {
  const who = newIdentity(JOB);
  await TestWrapper.connect(who);
  await indexed(who.run);
  const kill = await request(`${BASE}/jobs/${JOB}/kill`, {
    method: 'POST',
    headers: bearer(env.LEASH_ADMIN_TOKEN),
  });
  const { id } = (await kill.json<{ kill: { id: string } }>()).kill;
  path = { job: JOB, run: who.run, kill: id, machine: who.machine };

  const secretOf = async (scopes: Scope[], more: object = {}) =>
    (await newToken({ name: scopes.join('-'), scopes, ...more })).secret;
  callers.set('nobody', { headers: {}, scopes: null, refusedBy: '401 unauthenticated' });
  callers.set('a wrong token', { headers: bearer('leash_wrong'), scopes: null, refusedBy: '401 unauthenticated' });
  const expired = await expiredToken({ name: 'expired', scopes: ['admin'] });
  callers.set('an expired token', { headers: bearer(expired.secret), scopes: null, refusedBy: '401 token_expired' });
  for (const scope of SCOPES) {
    callers.set(`${scope} of all jobs`, { headers: bearer(await secretOf([scope])), scopes: [scope], allJobs: true });
    callers.set(`${scope} of other jobs`, {
      headers: bearer(await secretOf([scope], { jobs: 'other-*' })),
      scopes: [scope],
    });
  }
  callers.set('the first admin token', { headers: bearer(env.LEASH_ADMIN_TOKEN), scopes: ['admin'], allJobs: true });
  const page = async (origin: string | null): Promise<Caller> => {
    const { Cookie } = await signedIn(await secretOf(['admin']));
    const headers = { Cookie, ...(origin !== null && { Origin: origin }) };
    return { headers, scopes: ['admin'], allJobs: true, wrongOrigin: origin !== ORIGIN };
  };
  callers.set('the page', await page(ORIGIN));
  callers.set("another page with the page's cookie", await page('https://evil.test'));
  callers.set("the page's cookie without an origin", await page(null));
  callers.set("the page's cookie from a sandbox", await page('null'));
});

function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

/** What must come out; `in`: whatever the call itself says, once the caller is let in. */
function expected(operation: Operation, caller: Caller): string {
  const needs = NEEDS[operation.id];
  if (needs === undefined) throw new Error(`${operation.id} is not in the table`);
  if (needs === 'nothing') return 'in';
  if (caller.scopes === null) return caller.refusedBy ?? '';
  if (caller.headers.Cookie !== undefined && operation.authentication !== undefined) return '401 unauthenticated';
  if (!hasRight(caller, needs, operation)) return '403 forbidden';
  const changes = operation.method !== 'get' || isSocket(operation);
  if (caller.wrongOrigin === true && changes) return '403 wrong_origin';
  return caller.allJobs === true ? 'in' : (OF_A_JOB[operation.id] ?? 'in');
}

function hasRight(caller: Caller, needs: (typeof NEEDS)[string], operation: Operation): boolean {
  const { scopes, allJobs } = caller;
  if (needs === 'token') return true;
  if (needs === 'read_of_all_jobs') return hasRight(caller, ['read'], operation) && caller.allJobs === true;
  if (needs === 'full_admin') return scopes?.includes('admin') === true && allJobs === true;
  const inScope = scopes?.some((scope) => scope === 'admin' || needs.includes(scope)) === true;
  return inScope && (allJobs === true || !operation.path.includes('{job}'));
}

/** The outcome of a call: its refusal, or `in` when it was about something else than who called. */
async function outcome(operation: Operation, at: string, { headers }: Caller): Promise<string> {
  const names: Record<string, string> = { ...path, id: operation.id === 'getKill' ? (path.kill ?? '') : ulid() };
  const query =
    operation.id === 'connectWrapper' ? `?${new URLSearchParams({ run: ulid(), instance: 'i', machine: 'm' })}` : '';
  const subprotocol = operation.id === 'connectWrapper' ? 'leash.v1' : 'leash.watch.v1';
  const response = await request(at.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? '') + query, {
    method: operation.method.toUpperCase(),
    headers: {
      ...headers,
      ...(operation.authentication === 'basic' && asPassword(headers)),
      ...(isSocket(operation) && { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': subprotocol }),
    },
  });
  if (response.status < 400) return 'in';
  const { code } = await response.json<{ code: string }>();
  const isAboutCaller = [401, 403].includes(response.status) || code === OF_A_JOB[operation.id]?.split(' ')[1];
  return isAboutCaller ? `${response.status} ${code}` : 'in';
}

/** The same token, as a password. */
function asPassword({ Authorization }: Record<string, string>): Record<string, string> {
  return Authorization === undefined ? {} : { Authorization: `Basic ${btoa(`leash:${Authorization.slice(7)}`)}` };
}

describe.each([
  ...API_OPERATIONS.map((operation) => ({ operation, at: BASE + operation.path, id: operation.id })),
  ...ROOT_OPERATIONS.map((operation) => ({ operation, at: operation.path as string, id: operation.id })),
])('$id', ({ operation, at }) => {
  test('lets allowed callers in and gives the others a reason', async () => {
    const found: Record<string, string> = {};
    const right: Record<string, string> = {};
    for (const [name, caller] of callers) {
      // A page that signs out is not signed in for what comes after.
      if (operation.id === 'signOut' && caller.headers.Cookie !== undefined && caller.wrongOrigin !== true) continue;
      found[name] = await outcome(operation, at, caller);
      right[name] = expected(operation, caller);
    }
    expect(found).toEqual(right);
  });
});

test('the table lists only existing operations', () => {
  const served = [...API_OPERATIONS, ...ROOT_OPERATIONS].map(({ id }) => id);
  expect(Object.keys(NEEDS).sort()).toEqual(served.sort());
});
