import { expect, test } from 'vitest';
import { waitFor } from '#testing/wait-for';
import { Brake } from '../../src/output/brake.ts';
import { UnackedOutput } from '../../src/output/unacked.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MEMORY_BYTES = 400_000;
const CHUNK = Buffer.alloc(20_000, 'x');
/** Longer than any disk takes. */
const AGES_MS = 600_000;

function limited(bytes: number) {
  return { bytes, again: async () => bytes };
}

/** Prints as a command does that is read whenever the brake is not on. */
async function print(output: UnackedOutput, brake: Brake, bytes: number): Promise<void> {
  for (let printed = 0; printed < bytes; printed += CHUNK.length) {
    output.append('stdout', CHUNK);
    if (brake.isOn()) await released(brake);
  }
}

function released(brake: Brake): Promise<void> {
  return new Promise((resolve) => {
    brake.onRelease = resolve;
  });
}

test('what is printed in one go leaves no hole, even before there is a disk', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const brake = new Brake(output, AGES_MS);
  output.expectSpool();
  const printed = print(output, brake, 20 * MEMORY_BYTES);
  await waitFor('the brake', () => brake.isOn());
  output.useSpool(temporaryDirectory(), limited(100 * MEMORY_BYTES));
  await printed;
  expect([output.end, output.dropped]).toEqual([20 * MEMORY_BYTES, 0]);
  output.close();
});

test('many small pieces, which take up more than their bytes, leave none either', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const brake = new Brake(output, AGES_MS);
  output.useSpool(temporaryDirectory(), limited(100 * MEMORY_BYTES));
  for (let each = 0; each < 5_000; each += 1) {
    output.append(each % 2 === 0 ? 'stdout' : 'stderr', Buffer.from('.'));
    if (brake.isOn()) await released(brake);
  }
  expect(output.dropped).toBe(0);
  output.close();
});

test('a disk that takes nothing holds a command up for a moment, once', async () => {
  const output = new UnackedOutput(MEMORY_BYTES, () => {});
  const brake = new Brake(output, 20);
  output.expectSpool();
  await print(output, brake, 0.8 * MEMORY_BYTES);
  expect([brake.isOn(), output.isCrowded]).toEqual([false, true]);
});

test('without a disk, and where more was printed than may be kept, nothing is held up', async () => {
  const none = new UnackedOutput(MEMORY_BYTES, () => {});
  const never = new Brake(none, AGES_MS);
  await print(none, never, 2 * MEMORY_BYTES);
  expect(none.dropped).toBeGreaterThan(0);

  const failing = new UnackedOutput(MEMORY_BYTES, () => {});
  const brake = new Brake(failing, AGES_MS);
  failing.expectSpool();
  const printed = print(failing, brake, 2 * MEMORY_BYTES);
  await waitFor('the brake', () => brake.isOn());
  failing.noSpool();
  await printed;
  expect(brake.isOn()).toBe(false);

  const small = new UnackedOutput(MEMORY_BYTES, () => {});
  const spared = new Brake(small, AGES_MS);
  small.useSpool(temporaryDirectory(), limited(MEMORY_BYTES));
  await print(small, spared, 10 * MEMORY_BYTES);
  for (let each = 0; each < 40; each += 1) small.append('stdout', CHUNK);
  expect([small.dropped > 0, spared.isOn()]).toEqual([true, false]);
  small.close();
});
