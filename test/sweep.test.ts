import { ulid } from 'ulid';
import { expect, test } from 'vitest';
import type { Kill } from '#protocol/api';
import { waitFor } from '#testing/wait-for';
import { FOREVER } from './support/commands.ts';
import { useTestEnvironment } from './support/use-test-environment.ts';

const environment = useTestEnvironment();

test('the Cron sweep delivers a kill that was stored and whose call to the object was lost', async () => {
  const wrapper = environment().wrapper({ job: 'forgotten', command: FOREVER });
  const run = await environment().runOf('forgotten');
  await environment().output(run.id, 'ready');
  const id = await storeWithoutCalling('forgotten');

  // That of each minute may just have come before it: so nothing is said of the kill before.
  await environment().controlPlane.sweep();

  expect(await environment().settled(id)).toMatchObject({
    state: 'settled',
    targets: [{ run: run.id, state: 'gone', exit_code: 143 }],
  });
  expect((await wrapper.exit).code).toBe(143);
});

test('a wrapper that connects late gets what the queue holds for its job', async () => {
  const network = await environment().proxy();
  network.cut();
  const wrapper = environment().wrapper({ job: 'queued', command: FOREVER, url: network.url });
  await waitFor('the command to run', () => wrapper.printed.includes('ready'));
  const id = await storeWithoutCalling('queued');

  network.restore();

  expect(await environment().settled(id)).toMatchObject({
    state: 'settled',
    targets: [{ state: 'gone', exit_code: 143 }],
  });
  expect((await wrapper.exit).code).toBe(143);
});

/** What the API leaves in D1 when it dies between storing a kill and calling the job's object. */
async function storeWithoutCalling(job: string): Promise<string> {
  const now = Date.now();
  const kill: Kill = {
    id: ulid(now),
    job,
    kind: 'kill',
    state: 'queued',
    run: null,
    instance: null,
    machine: null,
    signal: 'SIGTERM',
    grace_ms: 5_000,
    include: null,
    reason: null,
    requested_by: 'test',
    request_id: null,
    batch: null,
    requested_at: new Date(now).toISOString(),
    expires_at: new Date(now + 600_000).toISOString(),
    targets: [],
    stored_ms: null,
    found_nothing: false,
    seq: 0,
  };
  await environment().controlPlane.query(
    'INSERT INTO kills (id, job, requested_at, resource) VALUES (?, ?, ?, ?)',
    kill.id,
    job,
    now,
    JSON.stringify(kill),
  );
  return kill.id;
}
