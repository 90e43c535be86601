import { describe, expect, test } from 'vitest';
import { MESSAGES_PER_REQUEST } from '#shared/prices';
import { waitFor } from '#testing/wait-for';
import { getKill, newToken, postKill, refusal } from './support/api.ts';
import { costOf } from './support/cost.ts';
import { disconnected, eventTypes, hibernate, isOutboxEmpty, restart, runEvents } from './support/objects.ts';
import { basic, connectSaltpeter, outputOf, requestSaltpeter, runOf, saltpeterNames } from './support/saltpeter.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

describe('a run under a Saltpeter wrapper', () => {
  test('is seen from its start to its end, as far as that wrapper tells', async () => {
    const names = saltpeterNames('sp-life');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    expect(await runOf(names)).toMatchObject({
      job: 'sp-life',
      instance: names.job_instance,
      machine: 'db-1.example.com',
      state: 'running',
      connected: true,
      pid: 4242,
      wrapper: 'saltpeter',
      wrapper_version: '0.9.31',
      command_line: '',
      kill_signal: 'SIGTERM',
      grace_ms: 5000,
      host: null,
    });
    // Its clock is an hour late: the run starts when it is first heard of.
    expect(Date.now() - Date.parse((await runOf(names)).started_at)).toBeLessThan(1_800_000);
    await wrapper.printed(0, 'one ');
    await wrapper.printed(1, 'zwölf 🧂\n');
    expect(await outputOf(names)).toBe('one zwölf 🧂\n');
    await wrapper.completed(3, 2);
    const ended = await runOf(names);
    expect(ended).toMatchObject({ state: 'failed', final: true, exit_code: 3, command_exit_code: 3, reason: 'exited' });
    expect(await eventTypes('sp-life', ended.id)).toEqual(['started', 'connected', 'ended']);
  });

  test.each([
    [0, { state: 'succeeded', exit_code: 0, command_exit_code: 0, signal: null, reason: 'exited' }],
    [-11, { state: 'failed', exit_code: 139, command_exit_code: null, signal: 'SIGSEGV', reason: 'signaled' }],
    [-15, { state: 'failed', exit_code: 143, command_exit_code: null, signal: 'SIGTERM', reason: 'signaled' }],
    [124, { state: 'failed', exit_code: 124, command_exit_code: 124, signal: null, reason: 'exited' }],
    [100_000, { state: 'failed', exit_code: 255, reason: 'exited' }],
  ])('ends with the retcode %d as %o', async (retcode, end) => {
    const names = saltpeterNames(`sp-retcode-${retcode}`.replace('--', '-minus-'));
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.completed(retcode, 0);
    expect(await runOf(names)).toMatchObject(end);
  });

  test('has timed out if the wrapper says so, whichever code it then reports', async () => {
    for (const [retcode, signal] of [
      [-15, 'SIGTERM'],
      [124, null],
    ] as const) {
      const names = saltpeterNames('sp-timeout');
      const wrapper = await connectSaltpeter(names);
      await wrapper.start();
      wrapper.print(0, '\n[Job exceeded timeout of 30 seconds]\n', 'stderr');
      await wrapper.completed(retcode, 1);
      expect(await runOf(names)).toMatchObject({ state: 'timed_out', exit_code: 124, command_exit_code: null, signal });
    }
  });

  test('has names that are made valid, and keep their own for the wrapper', async () => {
    const names = { job_name: 'nightly backup/db', job_instance: 'nightly backup/db_1', machine: 'Büro 3' };
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    const { job, machine, id } = await runOf(names);
    expect(job).toMatch(/^nightly-backup-db-[0-9a-f]{8}$/);
    expect(machine).toMatch(/^B-ro-3-[0-9a-f]{8}$/);
    await postKill(job, { run: id });
    expect(await wrapper.reply('kill')).toMatchObject(names);
  });

  test('another pid under the same names is another run', async () => {
    const names = saltpeterNames('sp-pids');
    const first = await connectSaltpeter(names);
    await first.start({ pid: 1 });
    await first.completed(0, 0);
    const one = await runOf(names);
    const second = await connectSaltpeter(names);
    await second.start({ pid: 2 });
    await second.printed(0, 'again');
    const other = await runOf(names);
    expect(other.id).not.toBe(one.id);
    expect(other).toMatchObject({ state: 'running', pid: 2, output_bytes: 5 });
    expect(one).toMatchObject({ state: 'succeeded' });
  });
});

describe('output', () => {
  test('is acked frame by frame: a repeated one is dropped, a jump is nacked', async () => {
    const names = saltpeterNames('sp-seq');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.printed(0, 'a');
    wrapper.received.length = 0;
    wrapper.print(0, 'a');
    await wrapper.acked(0);
    wrapper.print(2, 'c');
    expect(await wrapper.reply('nack')).toMatchObject({ expected_seq: 1, received_seq: 2 });
    await wrapper.printed(1, 'b');
    await wrapper.printed(2, 'c');
    await wrapper.printed(3, '');
    expect(await outputOf(names)).toBe('abc');
  });

  test('of several megabytes in one frame, and all of a run in one go', async () => {
    const names = saltpeterNames('sp-large');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    // What the wrapper sends at most: 512,000 characters, which Python writes as escapes of twelve.
    const escaped = '\\ud83e\\uddc2'.repeat(512_000);
    const frame = JSON.stringify({ type: 'output', ...names, stream: 'stdout', seq: 0 }).replace(
      /}$/,
      `,"data":"${escaped}"}`,
    );
    expect(frame.length).toBeGreaterThan(6_000_000);
    wrapper.raw(frame);
    wrapper.print(1, 'end');
    wrapper.complete(0, 2);
    await wrapper.ack('complete');
    await wrapper.acked(1);
    const run = await runOf(names);
    expect(run).toMatchObject({ state: 'succeeded', output_bytes: 4 * 512_000 + 3, output_total_bytes: 2_048_003 });
    expect((await outputOf(names)).endsWith('🧂🧂end')).toBe(true);
  });

  test('is asked for by sync_request', async () => {
    const names = saltpeterNames('sp-sync');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.printed(0, 'a');
    wrapper.say('sync_request', { last_acked_seq: -1, next_seq: 1 });
    expect(await wrapper.reply('sync_response')).toMatchObject({ last_seq: 0 });
  });

  test('that never arrived is not given up: the connection is closed, so that the wrapper repeats it', async () => {
    const names = saltpeterNames('sp-sync-lost');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    wrapper.say('sync_request', { last_acked_seq: -1, next_seq: 1 });
    await wrapper.wasClosed();
    expect(wrapper.received.map(({ type }) => type)).not.toContain('sync_response');
  });
});

test('a heartbeat costs the object nothing, and a frame of output two rows', async () => {
  const names = saltpeterNames('sp-cost');
  const wrapper = await connectSaltpeter(names);
  await wrapper.start();
  await waitFor('D1 to have the start', () => isOutboxEmpty(names.job_name));
  const { requests, objectRows, alarms } = await costOf(async () => {
    for (let heartbeat = 0; heartbeat < 12; heartbeat++) wrapper.say('heartbeat');
    // It comes after them, so they have arrived.
    await wrapper.printed(0, 'x');
  });
  expect({ messages: requests * MESSAGES_PER_REQUEST, objectRows, alarms }).toEqual({
    messages: 1,
    objectRows: 2,
    alarms: 0,
  });
});

describe('after a reconnect', () => {
  test('the first frame may be output, which is neither lost nor stored twice', async () => {
    const names = saltpeterNames('sp-mid-output');
    const before = await connectSaltpeter(names);
    await before.start();
    await before.printed(0, 'a');
    // Stored; the ack is lost with the connection.
    before.print(1, 'b');
    before.close();
    await waitFor('the frame', async () => (await runOf(names)).output_bytes === 2);
    await disconnected({ job: names.job_name, run: (await runOf(names)).id });

    const after = await connectSaltpeter(names);
    after.print(1, 'b');
    await after.acked(1);
    await after.printed(2, 'c');
    expect(await outputOf(names)).toBe('abc');
    const { id, connected } = await runOf(names);
    expect(connected).toBe(true);
    expect(await eventTypes(names.job_name, id)).toEqual(['started', 'connected', 'disconnected', 'connected']);
  });

  test('the first frame may be a heartbeat, to which nothing is said', async () => {
    const names = saltpeterNames('sp-heartbeat');
    const before = await connectSaltpeter(names);
    await before.start();
    before.close();
    await disconnected({ job: names.job_name, run: (await runOf(names)).id });
    const after = await connectSaltpeter(names);
    after.say('heartbeat');
    await waitFor('the link', async () => (await runOf(names)).connected);
    expect(after.received).toEqual([]);
    expect((await runOf(names)).pid).toBe(4242);
  });

  test('a new connection takes the place of one that is half open', async () => {
    const names = saltpeterNames('sp-newest');
    const older = await connectSaltpeter(names);
    await older.start();
    const newer = await connectSaltpeter(names);
    await newer.printed(0, 'mine');
    expect((await older.wasClosed()).code).toBe(4001);
    expect(await runOf(names)).toMatchObject({ connected: true, output_bytes: 4 });
  });

  test('all that was not acked comes in one go, the completion too, and changes nothing the second time', async () => {
    const names = saltpeterNames('sp-pipeline');
    for (let attempt = 1; attempt <= 2; attempt++) {
      const wrapper = await connectSaltpeter(names);
      wrapper.say('connect');
      wrapper.say('start', { pid: 7, version: '0.9.31' });
      wrapper.print(0, 'x');
      wrapper.print(1, 'y');
      wrapper.complete(0, 2);
      await wrapper.ack('complete');
      expect(wrapper.received.map((reply) => ('seq' in reply ? reply.seq : reply.type))).toEqual([
        'ack',
        'ack',
        0,
        1,
        'ack',
      ]);
      wrapper.close();
    }
    expect(await outputOf(names)).toBe('xy');
    const run = await runOf(names);
    expect(run).toMatchObject({ state: 'succeeded', exit_code: 0 });
    expect((await eventTypes(names.job_name, run.id)).filter((type) => type === 'ended')).toHaveLength(1);
  });

  test('the object knows the run after a crash and after hibernation', async () => {
    const names = saltpeterNames('sp-evicted');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.printed(0, 'a');
    await hibernate(names.job_name);
    await wrapper.printed(1, 'b');
    await restart(names.job_name);
    await wrapper.wasClosed();
    const again = await connectSaltpeter(names);
    again.say('sync_request', { last_acked_seq: 1, next_seq: 2 });
    expect(await again.reply('sync_response')).toMatchObject({ last_seq: 1 });
    await again.printed(2, 'c');
    expect(await outputOf(names)).toBe('abc');
  });

  test('a run of which nothing is known is taken as it is, from the frame that comes', async () => {
    const names = saltpeterNames('sp-unknown');
    const wrapper = await connectSaltpeter(names);
    wrapper.say('heartbeat');
    await wrapper.printed(17, 'in the middle');
    wrapper.print(19, '?');
    expect(await wrapper.reply('nack')).toMatchObject({ expected_seq: 18 });
    expect(await runOf(names)).toMatchObject({ state: 'running', pid: null, wrapper_version: 'unknown' });
  });
});

describe('a kill', () => {
  const KILLED_NOTE = '\n[Job terminated by user request]\n';

  test('reaches the wrapper, and says what really happens there', async () => {
    const names = saltpeterNames('sp-kill');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    const options = { signal: 'SIGINT', grace_seconds: 60, include: 'related' };
    const { id } = await postKill(names.job_name, options);
    expect(await wrapper.reply('kill')).toMatchObject(names);
    const run = await runOf(names);
    expect((await runEvents(names.job_name, run.id)).find(({ type }) => type === 'kill_requested')).toMatchObject({
      signal: 'SIGTERM',
      grace_ms: 5000,
      include: null,
    });
    expect((await getKill(id)).targets).toMatchObject([{ state: 'sent', signal: 'SIGTERM', wrapper: 'saltpeter' }]);
    wrapper.print(0, KILLED_NOTE, 'stderr');
    await wrapper.completed(-15, 1);
    expect(await runOf(names)).toMatchObject({
      state: 'killed',
      exit_code: 143,
      signal: 'SIGTERM',
      reason: 'operator',
    });
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone', exit_code: 143 }] });
    // It has told nothing in between.
    expect(await eventTypes(names.job_name, run.id)).toEqual([
      'started',
      'connected',
      'kill_requested',
      'kill_sent',
      'ended',
    ]);
  });

  test('is sent again on the first frame after each reconnect, until the completion', async () => {
    const names = saltpeterNames('sp-kill-again');
    const first = await connectSaltpeter(names);
    await first.start();
    const { id } = await postKill(names.job_name);
    await first.reply('kill');
    first.close();
    await disconnected({ job: names.job_name, run: (await runOf(names)).id });
    const second = await connectSaltpeter(names);
    second.print(0, 'still here');
    await second.reply('kill');
    second.close();
    await disconnected({ job: names.job_name, run: (await runOf(names)).id });
    const third = await connectSaltpeter(names);
    third.print(1, KILLED_NOTE, 'stderr');
    await third.completed(143, 2);
    expect(await getKill(id)).toMatchObject({ state: 'settled', targets: [{ state: 'gone' }] });
    expect(await runOf(names)).toMatchObject({ state: 'killed', exit_code: 143, command_exit_code: null });
    const fourth = await connectSaltpeter(names);
    await fourth.completed(143, 2);
    expect(fourth.received.map(({ type }) => type)).toEqual(['ack']);
  });

  test('waits for the ack of the start: before that the wrapper would take it for one', async () => {
    const names = saltpeterNames('sp-kill-early');
    const first = await connectSaltpeter(names);
    await first.start();
    first.close();
    await disconnected({ job: names.job_name, run: (await runOf(names)).id });
    await postKill(names.job_name);
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    await wrapper.reply('kill');
    expect(wrapper.received.map((reply) => ('ack_type' in reply ? reply.ack_type : reply.type))).toEqual([
      'connect',
      'start',
      'kill',
    ]);
  });

  test('that came too late is refused, and the command keeps its own end', async () => {
    const names = saltpeterNames('sp-kill-late');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    const { id } = await postKill(names.job_name);
    await wrapper.completed(0, 0);
    expect(await runOf(names)).toMatchObject({ state: 'succeeded', exit_code: 0 });
    expect((await getKill(id)).targets).toMatchObject([{ state: 'refused' }]);
  });
});

describe('who may connect', () => {
  test('only with a token as the password, of the scope saltpeter', async () => {
    const saltpeter = await newToken({ name: 'sp', scopes: ['saltpeter'] });
    const run = await newToken({ name: 'sp-run', scopes: ['run'] });
    for (const user of ['leash', 'anyone', '']) {
      expect((await requestSaltpeter(basic(saltpeter.secret, user))).status).toBe(101);
    }
    expect(await refusal(requestSaltpeter(null))).toBe('401 unauthenticated');
    expect(await refusal(requestSaltpeter(`Bearer ${saltpeter.secret}`))).toBe('401 unauthenticated');
    expect(await refusal(requestSaltpeter('Basic %%%'))).toBe('401 unauthenticated');
    expect(await refusal(requestSaltpeter(basic('leash_nonsense')))).toBe('401 unauthenticated');
    expect(await refusal(requestSaltpeter(basic(run.secret)))).toBe('403 forbidden');
  });

  test('and that token opens nothing else', async () => {
    const { secret } = await newToken({ name: 'sp-narrow', scopes: ['saltpeter'] });
    await expect(TestWrapper.connect(newIdentity('sp-narrow'), {}, secret)).rejects.toThrow('403');
  });

  test.each([
    ['another job', { job_name: 'other' }],
    ['another machine', { machine: 'web-1' }],
  ])('not for %s than the token is for', async (_what, changes) => {
    const token = { name: 'sp-some', scopes: ['saltpeter'], jobs: 'sp-allowed', machines: 'db-*' } as const;
    const { secret } = await newToken({ ...token, scopes: [...token.scopes] });
    const names = saltpeterNames('sp-allowed');
    await (await connectSaltpeter(names, secret)).start();
    const wrapper = await connectSaltpeter({ ...names, ...changes }, secret);
    wrapper.say('connect');
    expect(await wrapper.reply('error')).toMatchObject({ code: 'FORBIDDEN' });
    expect((await wrapper.wasClosed()).code).toBe(1008);
  });
});

describe('frames that no wrapper should send', () => {
  test.each([
    ['no JSON', '{"type":', 'BAD_FRAME'],
    ['a message without names', '{"type":"heartbeat"}', 'BAD_FRAME'],
    ['a name that is too long', JSON.stringify({ type: 'connect', ...saltpeterNames('x'.repeat(256)) }), 'BAD_FRAME'],
    ['bytes', new Uint8Array([1, 2]), 'BAD_FRAME'],
    ['far too much', `{"type":"output","data":"${'x'.repeat(16 * 1024 * 1024)}"}`, 'FRAME_TOO_LARGE'],
  ])('%s at first: an error, and the end of the connection', async (_what, frame, code) => {
    const wrapper = await connectSaltpeter(saltpeterNames('sp-nonsense'));
    wrapper.raw(frame);
    expect(await wrapper.reply('error')).toMatchObject({ code });
    await wrapper.wasClosed();
  });

  test('later on they change nothing, and the run goes on', async () => {
    const names = saltpeterNames('sp-nonsense-later');
    const wrapper = await connectSaltpeter(names);
    await wrapper.start();
    wrapper.say('output', { seq: 'zero', data: 'x' });
    expect(await wrapper.reply('error')).toMatchObject({ code: 'BAD_FRAME' });
    wrapper.say('killed');
    wrapper.received.length = 0;
    wrapper.say('output', { job_name: 'other', seq: 0, data: 'x' });
    expect(await wrapper.reply('error')).toMatchObject({ code: 'WRONG_RUN' });
    await wrapper.printed(0, 'x');
    expect(await runOf(names)).toMatchObject({ state: 'running', connected: true, output_bytes: 1 });
  });
});
