import { describe, expect, test } from 'vitest';
import { MAX_OUTPUT_FRAME_BYTES } from '../limits.ts';
import {
  decodeOutputFrame,
  encodeOutputFrame,
  MAX_OUTPUT_PAYLOAD_BYTES,
  OUTPUT_HEADER_BYTES,
  type OutputFrame,
} from '../output-frame.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

/** A frame written by hand, so that a change of the layout shows. */
const frame = (format: number, stream: number, offset: number[], payload: number[]) =>
  bytes(format, stream, ...offset, ...payload);

describe('an output frame', () => {
  test('has the documented layout', () => {
    const encoded = encodeOutputFrame({ stream: 'stderr', start: 0x0102_0304_0506, bytes: bytes(0xff, 0x00) });
    expect([...encoded]).toEqual([1, 2, 1, 2, 3, 4, 5, 6, 0xff, 0x00]);
  });

  test.each<OutputFrame>([
    { stream: 'stdout', start: 0, bytes: bytes(1) },
    { stream: 'stderr', start: 2 ** 32 - 1, bytes: bytes(0, 255, 10) },
    { stream: 'stdout', start: 2 ** 32, bytes: bytes(0xc3) },
    { stream: 'stdout', start: 2 ** 48 - 9, bytes: bytes(7) },
    { stream: 'stdout', start: 12, bytes: new Uint8Array(MAX_OUTPUT_PAYLOAD_BYTES).fill(97) },
  ])('is decoded as it was encoded: $stream from $start', (original) => {
    const decoded = decodeOutputFrame(encodeOutputFrame(original));
    expect(decoded).toEqual({ ok: true, frame: original });
  });

  test('may be anywhere in a larger buffer', () => {
    const buffer = new Uint8Array(64);
    buffer.set(encodeOutputFrame({ stream: 'stdout', start: 5, bytes: bytes(65, 66) }), 13);
    const decoded = decodeOutputFrame(buffer.subarray(13, 13 + OUTPUT_HEADER_BYTES + 2));
    expect(decoded).toEqual({ ok: true, frame: { stream: 'stdout', start: 5, bytes: bytes(65, 66) } });
  });

  test('is read from an ArrayBuffer too', () => {
    const { buffer } = encodeOutputFrame({ stream: 'stdout', start: 5, bytes: bytes(65) });
    expect(decodeOutputFrame(buffer)).toMatchObject({ ok: true, frame: { start: 5 } });
  });

  test('holds no more than 256 KiB with its header', () => {
    const tooMuch = new Uint8Array(MAX_OUTPUT_PAYLOAD_BYTES + 1);
    expect(() => encodeOutputFrame({ stream: 'stdout', start: 0, bytes: tooMuch })).toThrow(RangeError);
    const decoded = decodeOutputFrame(new Uint8Array(MAX_OUTPUT_FRAME_BYTES + 1));
    expect(decoded).toMatchObject({ ok: false, code: 'frame_too_large' });
  });

  test.each([
    ['nothing at all', bytes()],
    ['half a header', bytes(1, 1, 0)],
    ['a header without bytes', frame(1, 1, [0, 0, 0, 0, 0, 0], [])],
    ['an unknown format', frame(2, 1, [0, 0, 0, 0, 0, 0], [65])],
    ['an unknown stream', frame(1, 3, [0, 0, 0, 0, 0, 0], [65])],
    ['an offset at the end of the range', frame(1, 1, [255, 255, 255, 255, 255, 255], [65])],
  ])('is refused with %s', (_what, encoded) => {
    expect(decodeOutputFrame(encoded)).toMatchObject({ ok: false, code: 'bad_frame' });
  });
});
