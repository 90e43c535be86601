import { ulid } from 'ulid';
import { describe, expect, test } from 'vitest';
import { startMessage } from '#testing/wrapper-messages';
import { request } from './support/api.ts';
import { env } from './support/env.ts';
import { eventTypes, run } from './support/objects.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('frames that no wrapper should send', () => {
  const nonsense: [name: string, frame: string | Uint8Array, code: string][] = [
    ['text that is not JSON', '{"type":', 'bad_frame'],
    ['JSON that is no message', '[1, 2]', 'bad_frame'],
    ['a message with a field of the wrong kind', '{"type":"gap","from":"0","to":5}', 'bad_frame'],
    ['an unknown type', '{"type":"reboot"}', 'unknown_type'],
    ['text that is too long', JSON.stringify({ type: 'alive', padding: 'x'.repeat(70_000) }), 'frame_too_large'],
    ['output that is too long', new Uint8Array(300_000).fill(1), 'frame_too_large'],
    ['output without bytes', new Uint8Array([1, 1, 0, 0, 0, 0, 0, 0]), 'bad_frame'],
    ['output of an unknown stream', new Uint8Array([1, 9, 0, 0, 0, 0, 0, 0, 65]), 'bad_frame'],
    ['a gap that ends before it starts', '{"type":"gap","from":5,"to":5}', 'bad_offset'],
  ];

  test.each(nonsense)('%s: a clear error, and the run continues', async (name, frame, code) => {
    const who = newIdentity(`nonsense-${name.replaceAll(/[^a-z]+/gi, '-')}`);
    const wrapper = await TestWrapper.connect(who);
    wrapper.raw(frame);
    expect(await wrapper.error(code)).toMatchObject({ retry: null });
    wrapper.print(0, 'still here');
    await wrapper.acked(10);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
  });

  test('a completion whose code does not go with its reason changes nothing', async () => {
    const who = newIdentity('nonsense-complete');
    const wrapper = await TestWrapper.connect(who);
    wrapper.complete({ reason: 'timeout', exit_code: 0 });
    await wrapper.error('bad_frame');
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running' });
  });

  test('anything before start', async () => {
    const who = newIdentity('no-start');
    const wrapper = await TestWrapper.connect(who, null);
    wrapper.print(0, 'x');
    await wrapper.error('start_expected');
    expect(await run(who.job, who.run)).toBeNull();
  });

  test('a start with an age that makes no date', async () => {
    const who = newIdentity('no-date');
    const wrapper = await TestWrapper.connect(who, null);
    wrapper.start({ age_ms: Number.MAX_SAFE_INTEGER });
    await wrapper.error('bad_frame');
    expect(await run(who.job, who.run)).toBeNull();
  });

  test('the start of an outdated wrapper: it is asked to update, and not to reconnect', async () => {
    const who = newIdentity('outdated');
    const wrapper = await TestWrapper.connect(who, null);
    const { command_line, ...rest } = startMessage(who);
    wrapper.raw(JSON.stringify({ ...rest, command: command_line }));
    expect(await wrapper.error('wrapper_outdated')).toMatchObject({
      retry: 'never',
      message: expect.stringContaining('Update leash on this machine'),
    });
    expect((await wrapper.wasClosed()).code).toBe(4400);
    expect(await run(who.job, who.run)).toBeNull();
  });

  test('a start for another run than the one in the URL', async () => {
    const who = newIdentity('mismatch');
    const wrapper = await TestWrapper.connect(who, null);
    wrapper.start({ run: ulid() });
    expect(await wrapper.error('run_mismatch')).toMatchObject({ retry: 'never' });
    expect((await wrapper.wasClosed()).code).toBe(4400);
  });
});

describe('which socket is the run', () => {
  test('the newest with the same key; the older is closed', async () => {
    const who = newIdentity('generations');
    const older = await TestWrapper.connect(who);
    older.print(0, 'one ');
    await older.acked(4);
    const newer = await TestWrapper.connect(who);
    newer.print(4, 'two');
    await newer.acked(7);
    expect((await older.wasClosed()).code).toBe(4001);
    expect(await run(who.job, who.run)).toMatchObject({ connected: true, output_bytes: 7 });
  });

  test('not the older one, whatever it still says and however it ends', async () => {
    const who = newIdentity('generations-old');
    const older = await TestWrapper.connectHalfOpen(who);
    const newer = await TestWrapper.connect(who);
    await older.wasClosed();
    // A peer that does not answer the close can go on talking.
    older.complete({ exit_code: 9, command_exit_code: 9, signal: null, reason: 'exited' });
    older.start();
    older.close();
    await newer.settled();
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
    expect(newer.closed).toBeNull();
    expect(await eventTypes(who.job, who.run)).not.toContain('disconnected');
    newer.print(0, 'mine');
    await newer.acked(4);
  });

  test('not one with another key: it is refused for good, and the run is not harmed', async () => {
    const who = newIdentity('conflict');
    const rightful = await TestWrapper.connect(who);
    const claimant = await TestWrapper.connect({ ...who, runKey: 'f'.repeat(32) }, null);
    claimant.start();
    expect(await claimant.error('run_conflict')).toMatchObject({ retry: 'never' });
    expect((await claimant.wasClosed()).code).toBe(4409);
    rightful.print(0, 'mine');
    await rightful.acked(4);
    expect(await run(who.job, who.run)).toMatchObject({ state: 'running', connected: true });
    expect(rightful.closed).toBeNull();
  });

  test('after a final end messages are acked and change nothing', async () => {
    const who = newIdentity('after-end');
    const wrapper = await TestWrapper.connect(who);
    await wrapper.completed({ exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' });
    const again = await TestWrapper.connect(who, { phase: 'ended' });
    await again.completed({ exit_code: 9, command_exit_code: 9, signal: null, reason: 'exited' });
    expect(await run(who.job, who.run)).toMatchObject({ state: 'succeeded', exit_code: 0 });
  });
});

describe('an upgrade', () => {
  const who = newIdentity('upgrade');
  const headers = {
    Authorization: `Bearer ${env.LEASH_ADMIN_TOKEN}`,
    Upgrade: 'websocket',
    'Sec-WebSocket-Protocol': 'leash.v1',
  };
  const query = `run=${who.run}&machine=${who.machine}&instance=${who.instance}`;

  test.each([
    ['a job name outside the allowed set', '/api/v1/jobs/no%20spaces/connect', query, headers, '400 bad_request'],
    ['a run id that is none', '/api/v1/jobs/up/connect', query.replace(who.run, 'x'), headers, '400 bad_request'],
    ['no token', '/api/v1/jobs/up/connect', query, { ...headers, Authorization: '' }, '401 unauthenticated'],
    ['no upgrade', '/api/v1/jobs/up/connect', query, { ...headers, Upgrade: '' }, '426 upgrade_required'],
    [
      'another subprotocol',
      '/api/v1/jobs/up/connect',
      query,
      { ...headers, 'Sec-WebSocket-Protocol': 'chat' },
      '400 bad_request',
    ],
  ])('with %s is refused', async (_name, path, search, given, expected) => {
    const response = await request(`${path}?${search}`, { headers: given });
    expect(`${response.status} ${(await response.json<{ code: string }>()).code}`).toBe(expected);
  });
});
