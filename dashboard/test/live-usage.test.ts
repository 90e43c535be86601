import { expect, test } from 'vitest';
import { type LiveUsage, nextUsage } from '../src/state/live-usage.ts';

const used = (cpu_ms: number | null) => ({
  cpu_ms,
  peak_memory_bytes: null,
  memory_bytes: null,
  read_bytes: null,
  written_bytes: null,
});

/** After reports of CPU time, each at a time. */
function after(...reports: readonly (readonly [at: number, cpuMs: number | null])[]): LiveUsage['cores'] {
  return reports.reduce<LiveUsage | null>((before, [at, cpu]) => nextUsage(before, used(cpu), at), null)?.cores ?? null;
}

test.each([
  ['one report says nothing of now', [[0, 500]], null],
  [
    'two say what was used between them',
    [
      [0, 500],
      [2_000, 1_500],
    ],
    0.5,
  ],
  [
    'several cores',
    [
      [0, 0],
      [2_000, 8_000],
    ],
    4,
  ],
  [
    'what a process that has ended had used is not subtracted',
    [
      [0, 500],
      [2_000, 400],
    ],
    0,
  ],
  [
    'two that arrive together',
    [
      [0, 0],
      [2_000, 1_000],
      [2_010, 2_000],
      [4_000, 3_000],
    ],
    1,
  ],
  [
    'a time that was too long to be now',
    [
      [0, 0],
      [60_000, 30_000],
    ],
    null,
  ],
  [
    'not measured',
    [
      [0, 0],
      [2_000, null],
    ],
    null,
  ],
] as const)('%s', (_what, reports, cores) => {
  expect(after(...reports)).toBe(cores);
});
