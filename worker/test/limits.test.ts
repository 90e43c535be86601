/** What is too large, on every way in. */
import { describe, expect, test } from 'vitest';
import { SCOPES } from '#protocol/api';
import { KIB, MAX_OUTPUT_FRAME_BYTES, MAX_TEXT_FRAME_CHARS } from '#protocol/limits';
import { call, refusal } from './support/api.ts';
import { run } from './support/objects.ts';
import { TestViewer } from './support/viewer.ts';
import { newIdentity, TestWrapper } from './support/wrapper.ts';

const error = (wrapper: TestWrapper, code: string) =>
  wrapper.next(`the error ${code}`, (message) => message.type === 'error' && message.code === code);

describe('input of a wrapper is refused without harm if it is', () => {
  test('a text frame that is too long', async () => {
    const who = newIdentity('limits-text');
    const wrapper = await TestWrapper.connect(who);
    const alive = (length: number) => JSON.stringify({ type: 'alive', padding: 'x'.repeat(length) });
    wrapper.raw(alive(MAX_TEXT_FRAME_CHARS));
    await error(wrapper, 'frame_too_large');
    wrapper.raw(alive(MAX_TEXT_FRAME_CHARS - alive(0).length));
    wrapper.print(0, 'goes on');
    await wrapper.next('the ack', (message) => message.type === 'ack' && message.of === 'output');
    expect(wrapper.messages().filter(({ type }) => type === 'error')).toHaveLength(1);
  });

  test('an output frame that is too large', async () => {
    const who = newIdentity('limits-output');
    const wrapper = await TestWrapper.connect(who);
    const frame = new Uint8Array(MAX_OUTPUT_FRAME_BYTES + 1);
    frame.set([1, 1]);
    wrapper.raw(frame);
    await error(wrapper, 'frame_too_large');
    expect((await run(who.job, who.run))?.output_bytes).toBe(0);
    wrapper.raw(frame.subarray(1, 1));
    await error(wrapper, 'bad_frame');
    wrapper.raw(frame.slice(0, MAX_OUTPUT_FRAME_BYTES));
    await wrapper.next('the ack', (message) => message.type === 'ack' && message.of === 'output');
  });

  const kill = {
    kill: '01M82PTB40WMEYKY30XERGEN0N',
    phase: 'gone',
    signal: null,
    at_ms: 1,
    unnamed_survivors: false,
  } as const;

  test.each([
    ['a command line', { command_line: 'x'.repeat(4 * KIB + 1) }],
    ['a command line, by its bytes', { command_line: 'ü'.repeat(2 * KIB + 1) }],
    ['a version', { version: 'x'.repeat(65) }],
    ['a list of applied kills', { applied_kills: Array.from({ length: 101 }, () => ({ ...kill, survivors: [] })) }],
    ['a list of survivors', { applied_kills: [{ ...kill, survivors: Array.from({ length: 65 }, () => 1) }] }],
    ['a grace', { limits: { timeout_ms: null, grace_ms: 86_400_001 } }],
  ])('a start with %s that is too long', async (what, fields) => {
    const who = newIdentity(`limits-start-${what.length}-${Object.keys(fields)[0]}`);
    const wrapper = await TestWrapper.connect(who, null);
    wrapper.start(fields);
    await error(wrapper, 'bad_frame');
    expect(await run(who.job, who.run)).toBeNull();
  });
});

describe('input of a viewer is refused if it is', () => {
  test.each([
    ['too long', JSON.stringify({ type: 'subscribe', padding: 'x'.repeat(MAX_TEXT_FRAME_CHARS) })],
    ['binary', new Uint8Array(1024)],
  ])('%s', async (_what, frame) => {
    await TestWrapper.connect(newIdentity('limits-viewer'));
    const viewer = await TestViewer.watch('/jobs/limits-viewer/watch');
    viewer.raw(frame);
    expect((await viewer.next('error')).code).toBe('bad_frame');
  });
});

describe('a call is refused', () => {
  test('with a body of more than 64 KiB, counted as it comes', async () => {
    const body = { reason: 'x'.repeat(64 * KIB) };
    expect(await refusal(call('POST', '/jobs/any/kill', { body }))).toBe('413 too_large');
    expect(await refusal(call('POST', '/tokens', { body }))).toBe('413 too_large');
  });

  test.each(['/jobs', '/runs', '/tokens', '/audit'])('that asks for more of %s than a page holds', async (path) => {
    for (const limit of ['0', '501', '-1', '1e2', '99999999999999999']) {
      expect(await refusal(call('GET', `${path}?limit=${limit}`))).toBe('400 bad_request');
    }
    expect((await call('GET', `${path}?limit=500`)).status).toBe(200);
  });

  test('to create a token with too many scopes, or with too long globs or a name', async () => {
    const make = (fields: object) =>
      refusal(call('POST', '/tokens', { body: { name: 'n', scopes: ['read'], ...fields } }));
    expect(await make({ scopes: Array.from({ length: SCOPES.length + 1 }, () => 'read') })).toBe('400 bad_request');
    expect(await make({ jobs: 'x'.repeat(129) })).toBe('400 bad_request');
    expect(await make({ name: 'x'.repeat(101) })).toBe('400 bad_request');
  });

  test.each(['job', 'machine'])('that filters by a %s that can be none', async (filter) => {
    expect(await refusal(call('GET', `/runs?${filter}=${'x'.repeat(129)}`))).toBe('400 bad_request');
  });
});
