import { describe, expect, test } from 'vitest';
import { BUDGETS, UNWATCHED_FRAMES_PER_MINUTE } from '#shared/cost-model';
import { CAUSES, DAYS_PER_MONTH, ESTIMATES, type Fleet, fleetCost, framesPerRun, freeJobs } from '#shared/fleet-cost';
import { PLAN_USD_PER_MONTH } from '#shared/prices';

const NOTHING: Fleet = {
  jobs: 0,
  runsPerDay: 0,
  minutesPerRun: 0,
  outputKibPerRun: 0,
  watchers: 0,
  killsPerDay: 0,
  hasBucket: false,
};
const HOURLY: Fleet = { ...NOTHING, jobs: 10, runsPerDay: 24, minutesPerRun: 1 };

function usdOf(fleet: Fleet, cause: (typeof CAUSES)[number]): number {
  return fleetCost(fleet).causes.find((each) => each.cause === cause)?.usd ?? Number.NaN;
}

describe('what a fleet costs', () => {
  test('is the plan while nothing happens', () => {
    expect(fleetCost(NOTHING).usd).toBe(PLAN_USD_PER_MONTH);
  });

  test('counts the budget of each run, and of its removal', () => {
    const runs = 10 * 24 * DAYS_PER_MONTH;
    const { usage } = fleetCost(HOURLY);
    expect(usage.d1RowsWritten).toBeGreaterThanOrEqual(runs * (BUDGETS.shortRun.d1Rows + BUDGETS.removal.d1Rows));
    expect(usage.objectRowsWritten).toBeGreaterThanOrEqual(
      runs * (BUDGETS.shortRun.objectRows + BUDGETS.removal.objectRows),
    );
    expect(usage.workerRequests).toBeGreaterThanOrEqual(runs);
  });

  test.each([
    ['runs', { runsPerDay: 48 }],
    ['running', { minutesPerRun: 10 }],
    ['output', { outputKibPerRun: 1_000 }],
    ['kills', { killsPerDay: 5 }],
    ['watchers', { watchers: 1 }],
    ['reconnects', { minutesPerRun: 10 }],
    ['storage', { outputKibPerRun: 1_000 }],
    ['upkeep', { jobs: 20 }],
    ['removal', { jobs: 20 }],
  ] as const)('grows with %s', (cause, more) => {
    expect(usdOf({ ...HOURLY, ...more }, cause)).toBeGreaterThan(usdOf(HOURLY, cause));
  });

  test('is less for old output in a bucket', () => {
    const printing = { ...HOURLY, outputKibPerRun: 1_000 };
    expect(usdOf({ ...printing, hasBucket: true }, 'storage')).toBeLessThan(usdOf(printing, 'storage') / 5);
    expect(fleetCost({ ...printing, outputKibPerRun: 63, hasBucket: true }).usage.r2Storage).toBe(0);
  });

  test('names what costs most first', () => {
    const { causes } = fleetCost({ ...HOURLY, runsPerDay: 1, minutesPerRun: 24 * 60 });
    expect(causes[0]?.cause).toBe('running');
    expect(new Set(causes.map(({ cause }) => cause))).toEqual(new Set(CAUSES));
  });
});

describe('the free plan', () => {
  test('is enough for as many jobs as it says, and for no more', () => {
    const jobs = freeJobs(HOURLY);
    expect(jobs).toBeGreaterThan(0);
    const share = (count: number) => fleetCost({ ...HOURLY, jobs: count }).freeShares[0]?.share ?? 0;
    expect(share(jobs)).toBeLessThanOrEqual(1);
    expect(share(jobs + 1)).toBeGreaterThan(1);
  });

  test('has a database of 500 MB, however much the account may store', () => {
    const { freeShares } = fleetCost({ ...HOURLY, jobs: 500 });
    const share = freeShares.find(({ billed }) => billed === 'd1Storage')?.share;
    expect(share).toBeCloseTo((500 * 24 * 90 * 1_000 * ESTIMATES.d1KbPerRow) / 500e6);
  });
});

test('output leaves in frames: by time, by size, and never more of them than lines', () => {
  const frames = (minutesPerRun: number, outputKibPerRun: number) =>
    framesPerRun({ ...NOTHING, minutesPerRun, outputKibPerRun }).count;
  expect(frames(60, 0)).toBe(0);
  expect(frames(600, 1)).toBe(13);
  expect(frames(1, 64 * 1024)).toBe(256);
  expect(frames(2, 100)).toBe(2 * UNWATCHED_FRAMES_PER_MINUTE);
});
