import { expect, test } from 'vitest';
import { MAX_OUTPUT_FRAME_BYTES } from '#protocol/limits';
import { encodeOutputFrame, MAX_OUTPUT_PAYLOAD_BYTES, type OutputFrame } from '#protocol/output-frame';
import { type EncodedFrame, FrameMemory } from '../../src/link/frame-memory.ts';

function frameOf(start: number, length: number): OutputFrame {
  return { stream: start % 2 === 0 ? 'stdout' : 'stderr', start, bytes: Buffer.alloc(length, start) };
}

function holds({ bytes }: EncodedFrame, frame: OutputFrame): boolean {
  return Buffer.compare(bytes, encodeOutputFrame(frame)) === 0;
}

/** Bytes of memory behind frames. */
function memoryOf(frames: readonly EncodedFrame[]): number {
  const buffers = new Set(frames.map(({ bytes }) => bytes.buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

test('thousands of small frames need little more memory than their length, and stay unchanged', () => {
  const memory = new FrameMemory();
  const frames = Array.from({ length: 5_000 }, (_, index) => frameOf(index, 1 + (index % 100)));
  const encoded = frames.map((frame) => ({ frame, encoded: memory.encode(frame) }));
  expect(encoded.filter((each) => !holds(each.encoded, each.frame))).toEqual([]);
  expect(memoryOf(encoded.map((each) => each.encoded))).toBeLessThanOrEqual(2 * MAX_OUTPUT_FRAME_BYTES);
});

test('memory is reused once all frames in it have been released, in any order', () => {
  const memory = new FrameMemory();
  const seen: EncodedFrame[] = [];
  for (let round = 0; round < 12; round += 1) {
    const held = [MAX_OUTPUT_PAYLOAD_BYTES, 10, 100_000, MAX_OUTPUT_PAYLOAD_BYTES, 20].map((length) => {
      const frame = frameOf(round, length);
      return { frame, encoded: memory.encode(frame) };
    });
    for (const { frame, encoded } of round % 2 === 0 ? held : held.reverse()) {
      expect(holds(encoded, frame)).toBe(true);
      seen.push(encoded);
      encoded.release();
    }
  }
  expect(memoryOf(seen)).toBeLessThanOrEqual(5 * MAX_OUTPUT_FRAME_BYTES);
});
