import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { MAX_TEXT_FRAME_CHARS } from '../limits.ts';
import { textFrameReader } from '../text-frame.ts';
import { readObjectMessage, readWrapperMessage } from '../wrapper-link.ts';

const read = textFrameReader({
  alive: v.object({ type: v.literal('alive') }),
  gap: v.object({ type: v.literal('gap'), from: v.number(), to: v.number() }),
});

describe('a text frame', () => {
  test('is read by its type', () => {
    expect(read('{"type":"gap","from":1,"to":2}')).toEqual({
      kind: 'message',
      message: { type: 'gap', from: 1, to: 2 },
    });
  });

  test('may carry fields of a newer version', () => {
    expect(read('{"type":"alive","mood":"fine"}')).toEqual({ kind: 'message', message: { type: 'alive' } });
  });

  test('may be of a type of a newer version', () => {
    expect(read('{"type":"dance"}')).toEqual({ kind: 'unknown_type', type: 'dance' });
  });

  test.each(['constructor', '__proto__', 'toString'])('of type %s is of an unknown type', (type) => {
    expect(read(JSON.stringify({ type }))).toEqual({ kind: 'unknown_type', type });
  });

  test.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['a bare heartbeat', 'hb'],
    ['no object', '7'],
    ['null', 'null'],
    ['no type', '{}'],
    ['a type that is no text', '{"type":7}'],
    ['a type without end', JSON.stringify({ type: 'x'.repeat(65) })],
    ['a missing field', '{"type":"gap","from":1}'],
  ])('is malformed with %s', (_what, frame) => {
    expect(read(frame)).toMatchObject({ kind: 'malformed', code: 'bad_frame' });
  });

  test('says which field is wrong', () => {
    expect(read('{"type":"gap","from":1,"to":"2"}')).toMatchObject({ message: expect.stringMatching(/^gap: to: /) });
  });

  test('has an end', () => {
    const frame = JSON.stringify({ type: 'alive', padding: 'x'.repeat(MAX_TEXT_FRAME_CHARS) });
    expect(read(frame)).toMatchObject({ kind: 'malformed', code: 'frame_too_large' });
  });
});

describe('what each side of the wrapper link may say', () => {
  test('is distinguished by side', () => {
    expect(readObjectMessage('{"type":"probe"}')).toMatchObject({ kind: 'message' });
    expect(readWrapperMessage('{"type":"probe"}')).toMatchObject({ kind: 'unknown_type' });
  });

  test('never includes an order to start something', () => {
    const orders = ['start', 'run', 'exec', 'spawn', 'restart', 'update'];
    expect(orders.map((type) => readObjectMessage(JSON.stringify({ type })).kind)).toEqual(
      orders.map(() => 'unknown_type'),
    );
  });

  test('keeps an exit code within a byte', () => {
    const complete = {
      type: 'complete',
      exit_code: 256,
      command_exit_code: null,
      signal: null,
      reason: 'exited',
      duration_ms: 1,
      final_offset: 0,
      applied_kills: [],
    };
    expect(readWrapperMessage(JSON.stringify(complete)).kind).toBe('malformed');
    expect(readWrapperMessage(JSON.stringify({ ...complete, exit_code: 255 })).kind).toBe('message');
    expect(readWrapperMessage(JSON.stringify({ ...complete, exit_code: -15 })).kind).toBe('malformed');
  });
});
