/**
 * A proof by many trials: whatever the network, the object and the wrapper go through, in the end every byte is stored
 * once, there is one end, and no kill is carried out twice.
 *
 * On a failure fast-check prints the seed and the smallest scenario it found.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trials } from '#testing/seed';
import type { ByteRange } from '#testing/stored-run';
import { FAULTS, type Scenario, simulate } from '../support/simulation/simulation.ts';

const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 70_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 70_000, max: 400_000 }) },
);

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.integer(),
  latencyMs: fc.constantFrom(0, 5, 80, 700),
  manglePercent: fc.constantFrom(0, 0, 0, 2, 15),
  laterPercent: fc.constantFrom(0, 30, 100),
  capacity: fc.constantFrom(20_000, 300_000, 100_000_000),
  prints: fc.array(
    fc.record({
      afterMs: fc.constantFrom(0, 1, 40, 500, 3_000),
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      bytes: size,
    }),
    { maxLength: 25 },
  ),
  endsAfterMs: fc.integer({ min: 0, max: 3_000 }),
  faults: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 20_000 }), kind: fc.constantFrom(...FAULTS) }), {
    maxLength: 8,
  }),
  atCompletion: fc.array(fc.constantFrom('cut' as const, 'restart' as const), { maxLength: 2 }),
  killsAtMs: fc.array(fc.integer({ min: 0, max: 15_000 }), { maxLength: 3 }),
  death: fc.option(
    fc.record({
      atMs: fc.integer({ min: 0, max: 20_000 }),
      onDisk: fc.double({ min: 0, max: 1, noNaN: true }),
      endOnDisk: fc.boolean(),
      takeoverAfterMs: fc.integer({ min: 0, max: 5_000 }),
    }),
    { freq: 3 },
  ),
});

test('over a thousand runs through every kind of trouble, each byte is stored once and each run has one end', () => {
  fc.assert(fc.property(scenarios, isRight), trials(150, 5_000));
});

test('the same scenario always takes the same course', () => {
  for (const scenario of fc.sample(scenarios, trials(20, 20))) {
    expect(simulate(scenario)).toEqual(simulate(scenario));
  }
});

function isRight(scenario: Scenario): void {
  const { faults, refused, stored, printed, held, abandoned, applied, dropped } = simulate(scenario);
  expect(faults).toEqual([]);
  if (scenario.manglePercent === 0) expect(refused).toEqual([]);
  expect(stored.end).not.toBeNull();
  // Of a wrapper that died, only what had reached the disk or the object is left.
  if (abandoned) expect(stored.outputEnd).toBeGreaterThanOrEqual(held);
  else expect(stored.outputEnd).toBe(printed);
  // A wrapper may have told its end and died before the end reached the disk.
  if (!abandoned) expect(stored.finalOffset).toBe(printed);
  expect(stored.gaps.filter((gap) => !isCovered(gap, dropped))).toEqual([]);
  for (const [kill, times] of applied) {
    expect(times).toBe(1);
    expect(abandoned ? ['lost', 'gone'] : ['gone']).toContain(stored.kills[kill]?.phase);
  }
}

/** Whether every byte of `span` lies in one of `others`. */
function isCovered({ from, to }: ByteRange, others: readonly ByteRange[]): boolean {
  let at = from;
  for (const other of others.toSorted((one, two) => one.from - two.from)) {
    if (other.from <= at) at = Math.max(at, other.to);
  }
  return at >= to;
}
