import { beforeEach, expect, test, vi } from 'vitest';
import { WATCH_SUBPROTOCOL } from '#protocol/watch-link';
import { WRAPPER_SUBPROTOCOL } from '#protocol/wrapper-link';
import type { Env } from '../shared/env.ts';
import { signInByHash } from '../shared/rpc/d1-gateway.ts';
import { fleetObject } from '../shared/rpc/fleet-object.ts';
import { callJob } from '../shared/rpc/job-object.ts';
import { readSettings } from '../shared/settings.ts';
import { app } from '../src/http/app.ts';
import { env } from './support/env.ts';

// The local runtime refuses jurisdictions, so what is asked of a namespace is compared here.
const asked = vi.fn<(jurisdiction: string | null, name: string) => object>();
beforeEach(() => asked.mockReset());

function namespaceIn(jurisdiction: string | null): object {
  return {
    getByName: (name: string) => asked(jurisdiction, name) ?? {},
    jurisdiction: (narrower: string) => namespaceIn(narrower),
  };
}
const namespace = namespaceIn(null);
const inJurisdiction = (jurisdiction: Env['LEASH_JURISDICTION']) =>
  ({ ...env, LEASH_JURISDICTION: jurisdiction, JOBS: namespace, FLEET: namespace, D1_GATEWAY: namespace }) as Env;

const objects: readonly (readonly [what: string, name: string, get: (env: Env) => unknown])[] = [
  ['a job’s object that is called', 'backup', (env) => callJob(env, 'backup', async () => null)],
  ['the fleet object', 'fleet', (env) => fleetObject(env)],
  ['a gateway', 'sign-in', (env) => signInByHash(env, 'hash').catch(() => null)],
  [
    'a job’s object that a wrapper connects to',
    'backup',
    (env) => upgrade(env, `/jobs/backup/connect?${RUN}`, WRAPPER_SUBPROTOCOL),
  ],
  [
    'a job’s object that a viewer connects to',
    'backup',
    (env) => upgrade(env, '/jobs/backup/watch', WATCH_SUBPROTOCOL),
  ],
];
const RUN = 'run=01J00000000000000000000000&instance=backup_1&machine=web-1';

async function upgrade(env: Env, path: string, subprotocol: string): Promise<void> {
  const headers = {
    Upgrade: 'websocket',
    'Sec-WebSocket-Protocol': subprotocol,
    Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}`,
  };
  await app.request(`/api/v1${path}`, { headers }, env);
}

test.each(objects)('%s is in the jurisdiction of the deployment', async (_what, name, get) => {
  asked.mockReturnValue({ fetch: async () => new Response() });
  await get(inJurisdiction('eu'));
  expect(asked.mock.calls.map(([jurisdiction]) => jurisdiction)).not.toContain(null);
  // A wrapper's upgrade asks the gateway first.
  expect(asked.mock.calls.at(-1)).toEqual(['eu', name]);
});

test('without a jurisdiction, objects may be anywhere', () => {
  fleetObject(inJurisdiction(''));
  expect(asked.mock.calls).toEqual([[null, 'fleet']]);
});

test('a jurisdiction that does not exist is refused', () => {
  expect(() => readSettings({ ...env, LEASH_JURISDICTION: 'mars' as 'eu' })).toThrow(
    /LEASH_JURISDICTION must be empty or one of eu, us, fedramp, not "mars"/,
  );
});
