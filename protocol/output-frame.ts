/**
 * Binary frames: a run's output on its way to the job's Durable Object, and from there to viewers. On disk, the wrapper
 * keeps output in the same frames.
 *
 * A run's output is one sequence of bytes. A frame contains the offset in it at which the frame's bytes start.
 *
 *     byte 0      format, always 1
 *     byte 1      stream: 1 stdout, 2 stderr
 *     bytes 2..7  start offset, unsigned, big endian
 *     bytes 8..   the bytes, at least one
 */
import { MAX_OUTPUT_FRAME_BYTES } from './limits.ts';

export type StreamName = 'stdout' | 'stderr';

export interface OutputFrame {
  readonly stream: StreamName;
  /** Offset of the first byte in the run's output. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

export const OUTPUT_HEADER_BYTES = 8;
export const MAX_OUTPUT_PAYLOAD_BYTES = MAX_OUTPUT_FRAME_BYTES - OUTPUT_HEADER_BYTES;

const FORMAT = 1;
const MAX_OFFSET = 2 ** 48;

export function encodeOutputFrame(frame: OutputFrame): Uint8Array<ArrayBuffer> {
  const encoded = new Uint8Array(OUTPUT_HEADER_BYTES + frame.bytes.length);
  writeOutputFrame(frame, encoded);
  return encoded;
}

/**
 * Writes a frame to the beginning of `into`, which must have room for it: MAX_OUTPUT_FRAME_BYTES is always enough.
 *
 * @returns its length
 */
export function writeOutputFrame(frame: OutputFrame, into: Uint8Array): number {
  if (frame.bytes.length > MAX_OUTPUT_PAYLOAD_BYTES) throw new RangeError('an output frame must not exceed 256 KiB');
  const header = new DataView(into.buffer, into.byteOffset, OUTPUT_HEADER_BYTES);
  header.setUint8(0, FORMAT);
  header.setUint8(1, frame.stream === 'stdout' ? 1 : 2);
  header.setUint16(2, Math.floor(frame.start / 2 ** 32));
  header.setUint32(4, frame.start % 2 ** 32);
  into.set(frame.bytes, OUTPUT_HEADER_BYTES);
  return OUTPUT_HEADER_BYTES + frame.bytes.length;
}

export type DecodedOutputFrame =
  | { readonly ok: true; readonly frame: OutputFrame }
  | { readonly ok: false; readonly code: 'bad_frame' | 'frame_too_large'; readonly message: string };

/** Reads a binary frame. The bytes are a view of `encoded`, not a copy. */
export function decodeOutputFrame(encoded: ArrayBuffer | Uint8Array): DecodedOutputFrame {
  const data = encoded instanceof Uint8Array ? encoded : new Uint8Array(encoded);
  if (data.length > MAX_OUTPUT_FRAME_BYTES) {
    return {
      ok: false,
      code: 'frame_too_large',
      message: `an output frame must not exceed ${MAX_OUTPUT_FRAME_BYTES} bytes`,
    };
  }
  if (data.length <= OUTPUT_HEADER_BYTES) {
    return {
      ok: false,
      code: 'bad_frame',
      message: 'an output frame needs an 8-byte header and at least one byte',
    };
  }
  const header = new DataView(data.buffer, data.byteOffset, OUTPUT_HEADER_BYTES);
  const streamByte = header.getUint8(1);
  if (header.getUint8(0) !== FORMAT || (streamByte !== 1 && streamByte !== 2)) {
    return { ok: false, code: 'bad_frame', message: 'the frame has an unknown format or stream' };
  }
  const start = header.getUint16(2) * 2 ** 32 + header.getUint32(4);
  if (start + data.length > MAX_OFFSET) {
    return { ok: false, code: 'bad_frame', message: 'the offset is out of range' };
  }
  return {
    ok: true,
    frame: { stream: streamByte === 1 ? 'stdout' : 'stderr', start, bytes: data.subarray(OUTPUT_HEADER_BYTES) },
  };
}
