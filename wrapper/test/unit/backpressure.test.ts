import { expect, onTestFinished, test, vi } from 'vitest';
import { MIB } from '#protocol/limits';
import { waitFor } from '#testing/wait-for';
import { Backpressure } from '../../src/output/backpressure.ts';
import { UnackedOutput } from '../../src/output/unacked-output.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MEMORY_BYTES = 400_000;
const CHUNK = Buffer.alloc(20_000, 'x');
/** Longer than any disk takes. */
const AGES_MS = 600_000;

function limited(bytes: number) {
  return { bytes, recompute: async () => bytes };
}

/** Prints as a command does that is read whenever there is no backpressure. */
async function print(output: UnackedOutput, backpressure: Backpressure, bytes: number): Promise<void> {
  for (let printed = 0; printed < bytes; printed += CHUNK.length) {
    output.append('stdout', CHUNK);
    if (backpressure.isActive()) await released(backpressure);
  }
}

function released(backpressure: Backpressure): Promise<void> {
  return new Promise((resolve) => {
    backpressure.onRelease = resolve;
  });
}

test('what is printed in one go leaves no gap, even before there is a disk', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const backpressure = new Backpressure(output, AGES_MS);
  output.expectSpool();
  const printed = print(output, backpressure, 20 * MEMORY_BYTES);
  await waitFor('backpressure', () => backpressure.isActive());
  output.useSpool(temporaryDirectory(), limited(100 * MEMORY_BYTES));
  await printed;
  expect([output.end, output.droppedBytes]).toEqual([20 * MEMORY_BYTES, 0]);
  output.close();
});

test('many small chunks, which take up more than their bytes, leave none either', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const backpressure = new Backpressure(output, AGES_MS);
  output.useSpool(temporaryDirectory(), limited(100 * MEMORY_BYTES));
  for (let each = 0; each < 5_000; each += 1) {
    output.append(each % 2 === 0 ? 'stdout' : 'stderr', Buffer.from('.'));
    if (backpressure.isActive()) await released(backpressure);
  }
  expect(output.droppedBytes).toBe(0);
  output.close();
});

test('a disk that takes nothing holds a command up for a moment, once', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const backpressure = new Backpressure(output, 20);
  output.expectSpool();
  await print(output, backpressure, 0.8 * MEMORY_BYTES);
  expect([backpressure.isActive(), output.isNearlyFull]).toEqual([false, true]);
});

test('a disk that takes output at a good pace is waited for, one that does not is not', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  let nowMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  onTestFinished(() => clock.mockRestore());
  /** How much of 256 MiB finds the backpressure active, on a disk that takes so much in a second. */
  const heldUp = (diskBytesPerS: number) => {
    const output = { isNearlyFull: true, heldFrom: 0, onRoom: () => {} };
    const backpressure = new Backpressure(output as unknown as UnackedOutput);
    for (let written = 0; written < 256 * MIB; written += MIB) {
      output.isNearlyFull = true;
      if (!backpressure.isActive()) return written / MIB;
      nowMs += (MIB / diskBytesPerS) * 1_000;
      output.heldFrom += MIB;
      output.isNearlyFull = false;
      output.onRoom();
    }
    return 256;
  };
  expect(heldUp(80 * MIB)).toBe(256);
  // Each MiB takes 31 ms, and gives half of them back.
  expect(heldUp(32 * MIB)).toBeLessThan(40);
});

test('without a disk, and where more was printed than may be kept, nothing is held up', async () => {
  const none = new UnackedOutput(MEMORY_BYTES, () => {});
  const never = new Backpressure(none, AGES_MS);
  await print(none, never, 2 * MEMORY_BYTES);
  expect(none.droppedBytes).toBeGreaterThan(0);

  const failing = new UnackedOutput(MEMORY_BYTES, () => {});
  const backpressure = new Backpressure(failing, AGES_MS);
  failing.expectSpool();
  const printed = print(failing, backpressure, 2 * MEMORY_BYTES);
  await waitFor('backpressure', () => backpressure.isActive());
  failing.spoolUnavailable();
  await printed;
  expect(backpressure.isActive()).toBe(false);

  const small = new UnackedOutput(MEMORY_BYTES, () => {});
  const spared = new Backpressure(small, AGES_MS);
  small.useSpool(temporaryDirectory(), limited(MEMORY_BYTES));
  await print(small, spared, 10 * MEMORY_BYTES);
  for (let each = 0; each < 40; each += 1) small.append('stdout', CHUNK);
  expect([small.droppedBytes > 0, spared.isActive()]).toEqual([true, false]);
  small.close();
});
